"""A queue: the pool that it waits for, and its counts."""

from http import HTTPStatus

from quintet_operator.cluster import KINDS, ApiError
from quintet_operator.kinds.queue import COUNTED_EVERY
from tests.unit.quintet_operator.room import Room


async def test_the_default_pool_is_made_after_a_while() -> None:
    room = Room()
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("Queue", "orders") == ("False", "Pending")
    await room.settle(4.5)
    assert room.api.get("BrokerPool", "default") is None
    await room.settle(0.5)
    made = room.api.get("BrokerPool", "default")
    assert made
    assert "spec" not in made
    assert not made["metadata"].get("labels")
    assert not made["metadata"].get("ownerReferences")


async def test_one_that_is_applied_meanwhile_stays_as_it_is() -> None:
    room = Room()
    room.user("Queue", "orders")
    await room.settle()
    room.api.put(
        {
            "apiVersion": "quintet.dev/v1",
            "kind": "BrokerPool",
            "metadata": {"namespace": "shop", "name": "default"},
            "spec": {"durability": "Memory"},
        }
    )
    await room.settle(5)
    made = room.api.get("BrokerPool", "default")
    assert made
    assert made["spec"] == {"durability": "Memory"}


async def test_none_is_made_of_another_name_nor_for_a_queue_that_had_one(room: Room) -> None:
    room.user("Queue", "orders")
    room.user("Queue", "other", brokerPool="fast")
    await room.settle()
    room.gone("BrokerPool", "default")
    await room.settle(20)
    for name in "orders", "other":
        assert room.condition("Queue", name) == ("False", "BrokerPoolNotFound")
    assert room.api.get("BrokerPool", "default") is None
    assert room.api.get("BrokerPool", "fast") is None
    room.user("Queue", "new")
    await room.settle()
    await room.settle(5)
    assert room.api.get("BrokerPool", "default")


async def test_none_is_made_in_a_namespace_that_ends() -> None:
    room = Room()
    room.user("Queue", "orders")
    path = KINDS["BrokerPool"].path("shop")
    room.api.refused[path] = ApiError(HTTPStatus.FORBIDDEN, "Forbidden", "it ends", ("NamespaceTerminating",))
    await room.settle()
    await room.settle(5)
    assert room.api.get("BrokerPool", "default") is None


async def test_counts_are_told_now_and_then(room: Room) -> None:
    def visible() -> int:
        held = room.api.get("Queue", "orders")
        assert held
        return int(held["status"]["messages"]["visible"])

    room.user("Queue", "orders")
    await room.settle()
    for seconds, told in (10, 0), (10, 0), (COUNTED_EVERY - 19, 30):
        room.broker.visible += 10
        await room.settle(seconds)
        assert visible() in (told, told - 10)
    room.api.calls.clear()
    for _ in range(3):
        await room.settle(10)
    assert visible() == 30
    assert len(room.api.calls) <= 1
