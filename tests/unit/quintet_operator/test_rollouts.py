"""Pods that serve are replaced in order: Redis, then brokers; one pool, then the next."""

from typing import Any

from quintet_operator.rollouts import STUCK
from tests.unit.quintet_operator.room import Room


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
