"""What the operator decides, against a fake API server and a fake broker."""

from quintet_operator.index import key
from tests.unit.quintet_operator.room import Room


async def test_a_pool_and_a_queue_become_ready(room: Room) -> None:
    assert room.condition("BrokerPool", "default") == ("True", "Available")
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("Queue", "orders") == ("True", "Available")
    held = room.api.get("Queue", "orders")
    assert held
    assert held["status"]["binding"] == {"name": "orders-queue"}
    assert held["status"]["url"] == "http://default-broker-pool.shop.svc:9400/000000000000/orders"
    assert held["status"]["messages"] == {"visible": 0, "inFlight": 0, "delayed": 0}
    pool = room.api.get("BrokerPool", "default")
    assert pool
    assert pool["status"]["objects"] == 1


async def test_at_rest_nothing_is_written(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.api.calls.clear()
    for kind in ("BrokerPool", "Queue"):
        for manifest in list(room.index.of_kind(kind)):
            room.queue.add(key(manifest))
    puts = len(room.broker.puts)
    await room.settle(60)
    assert room.api.calls == []
    assert len(room.broker.puts) == puts


async def test_a_new_leader_says_nothing_else_of_what_goes_on(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.api.calls.clear()
    new = Room(room.api, room.broker)
    await new.lease.try_once()
    await new.settle(0)
    await new.settle(1)
    await new.settle(10)
    assert new.broker.puts
    assert [call for call in room.api.calls if call.endswith("/status")] == []


async def test_a_new_leader_that_finds_the_broker_away_says_so(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.broker.error = "they are away"
    new = Room(room.api, room.broker)
    await new.settle(0)
    assert new.condition("Queue", "orders") == ("True", "Available")
    # One that does not answer once may be one that is there again.
    await new.settle(0.2)
    assert new.condition("Queue", "orders") == ("True", "Available")
    await new.settle(1)
    assert new.condition("Queue", "orders")[1] == "BrokerPoolNotReady"
    assert new.condition("BrokerPool", "default") == ("Unknown", "BrokerUnreachable")


# What is unreadable, or gone


async def test_a_spec_of_a_newer_api_is_told_and_left_alone(room: Room) -> None:
    room.api.calls.clear()
    room.user("Queue", "orders", ordering="Random")
    await room.settle()
    assert room.condition("Queue", "orders") == ("False", "InvalidSpec")
    await room.settle(60)
    assert len([call for call in room.api.calls if "/queues/orders" in call]) == 1


async def test_an_object_that_is_gone_before_its_status_is_written(room: Room) -> None:
    room.user("Queue", "orders")
    room.api.remove("Queue", "orders")
    await room.settle()
    assert room.api.get("Queue", "orders") is None


async def test_a_queue_says_that_its_pool_is_of_a_newer_api() -> None:
    room = Room()
    await room.lease.try_once()
    room.user("BrokerPool", "default", durability="Twice")
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("BrokerPool", "default") == ("False", "InvalidSpec")
    assert room.condition("Queue", "orders") == ("False", "BrokerPoolNotReady")
