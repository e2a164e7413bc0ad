"""Pods that serve are replaced in order: Redis, then brokers; one pool, then the next."""

from typing import Any

from quintet_operator.rollouts import STUCK
from quintet_operator.topology import POLL
from tests.unit.quintet_operator.room import Room


async def test_brokers_are_counted_as_they_come_and_go(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    told = len(room.broker.puts)
    for wanted, there, status in (3, 1, "False"), (3, 2, "False"), (3, 3, "True"), (1, 3, "True"), (1, 1, "True"):
        room.user("BrokerPool", "default", replicas=wanted)
        await room.settle()
        room.serve("default-broker-pool", pods=there)
        room.broker.live = there
        await room.settle(POLL)
        assert room.condition("BrokerPool", "default")[0] == status, (wanted, there)
        assert room.condition("Queue", "orders") == ("True", "Available")
        held = room.api.get("BrokerPool", "default")
        assert held
        assert (held["status"]["replicas"], held["status"]["readyReplicas"]) == (there, there)
    assert len(room.broker.puts) == told


async def test_redis_first_then_the_brokers(room: Room) -> None:
    def image(name: str) -> Any:
        held = room.api.get("StatefulSet", name)
        assert held
        return held["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]

    room.user(
        "BrokerPool",
        "default",
        resources={"limits": {"memory": "1Gi"}},
        storage={"resources": {"limits": {"memory": "2Gi"}}},
    )
    await room.settle()
    assert (image("default-broker-pool-redis"), image("default-broker-pool")) == ("2Gi", "512Mi")
    room.serve("default-broker-pool-redis")
    await room.settle()
    assert image("default-broker-pool") == "1Gi"


async def test_pools_are_restarted_one_at_a_time(room: Room) -> None:
    room.user("BrokerPool", "fast")
    await room.settle()
    room.serve("fast-broker-pool-redis", "fast-broker-pool")
    await room.settle()

    def changed() -> list[str]:
        found = [room.api.get("StatefulSet", f"{name}-broker-pool") for name in ("default", "fast")]
        return [
            one["metadata"]["name"].partition("-")[0]
            for one in found
            if one and one["spec"]["template"]["spec"]["containers"][0]["image"] == "new"
        ]

    for name in "default", "fast":
        room.user("BrokerPool", name, image="new")
    await room.settle()
    assert changed() == ["default"]
    await room.settle(6)
    assert changed() == ["default"]
    room.serve("default-broker-pool")
    await room.settle(6)
    assert changed() == ["default", "fast"]
    room.user("BrokerPool", "default", image="bad")
    await room.settle(STUCK)
    room.user("BrokerPool", "fast", image="newer")
    await room.settle(6)
    assert changed() == ["fast"]
    room.serve("fast-broker-pool")
    await room.settle(STUCK)
    assert changed() == []
