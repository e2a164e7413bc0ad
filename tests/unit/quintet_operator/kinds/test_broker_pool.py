"""A pool whose Redis is somebody else's."""

from base64 import b64encode

import pytest

from quintet_operator.kinds.broker_pool import READ_SECRET_EVERY
from tests.unit.quintet_operator.objects import EXTERNAL
from tests.unit.quintet_operator.room import Room

BROKERS = "default-broker-pool"


@pytest.fixture
async def room() -> Room:
    """With such a pool, whose Secret is not there yet."""
    made = Room()
    await made.lease.try_once()
    made.user("BrokerPool", "default", storage=EXTERNAL)
    await made.settle()
    return made


def secret(room: Room, url: str) -> None:
    """The user writes it; it is not watched."""
    metadata = {"name": "our-redis", "namespace": "shop"}
    data = {"url": b64encode(url.encode()).decode()}
    room.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


async def test_no_broker_starts_before_it_is_told_where_redis_is(room: Room) -> None:
    assert room.condition("BrokerPool", "default") == ("False", "SecretNotFound")
    secret(room, "redis://:secret@our-redis:port/0")
    await room.settle(READ_SECRET_EVERY)
    assert room.condition("BrokerPool", "default") == ("False", "InvalidURL")
    assert room.api.get("StatefulSet", BROKERS) is None
    assert "secret@" not in str(room.api.get("BrokerPool", "default"))
    secret(room, "redis+sentinel://:secret@a,b/main")
    await room.settle(READ_SECRET_EVERY)
    room.serve(BROKERS)
    await room.settle()
    assert room.condition("BrokerPool", "default") == ("True", "Available")


async def test_brokers_that_run_are_not_sent_where_no_redis_is(room: Room) -> None:
    secret(room, "redis://our-redis")
    await room.settle(READ_SECRET_EVERY)
    before = room.api.get("StatefulSet", BROKERS)
    assert before
    room.serve(BROKERS)
    secret(room, "redis://our redis")
    await room.settle(READ_SECRET_EVERY)
    assert room.condition("BrokerPool", "default", "StorageReady") == ("False", "InvalidURL")
    held = room.api.get("StatefulSet", BROKERS)
    assert held
    assert held["spec"] == before["spec"]
    secret(room, "redis://their-redis")
    await room.settle(READ_SECRET_EVERY)
    held = room.api.get("StatefulSet", BROKERS)
    assert held
    assert held["spec"] != before["spec"]
