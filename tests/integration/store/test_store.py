"""The store over a real Redis, at moments that are rare."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from quintet_broker.store.redis import CONNECTIONS, Store
from quintet_broker.store.tick import Append, Outcome, Tick
from tests.processes import RedisServer


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    store = Store(redis_server.url, str(uuid.uuid4()))
    await store.connect()
    yield store
    await store.close()


async def test_a_write_on_its_way_brings_nothing_of_an_erased_shard_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await store.take(1)
    late = Tick(1, taken.epoch, 1, {0: 0}, [Append(0, 0, 1, b"x")], {"tail:0": 1, "seg:0:0": "0:0:1:1"})
    outcomes = []
    hkeys = store._redis.hkeys

    async def hkeys_and_then_the_write(key: str) -> Any:
        found = await hkeys(key)
        outcomes.extend(await store.write([late]))
        return found

    monkeypatch.setattr(store._redis, "hkeys", hkeys_and_then_the_write)
    await store.erase(1)
    assert outcomes == [Outcome.FENCED]
    assert await store._redis.keys(f"*{store.keys.prefix}*") == []


async def test_an_answer_that_comes_late_does_not_move_the_clock(store: Store) -> None:
    """Deadlines would else pass too early while all connections are busy."""
    before = store._clock_ahead
    busy = [asyncio.ensure_future(store._redis.blpop(["nothing"], 0.5)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0)
    await store.check()
    assert abs(store._clock_ahead - before) < 0.1
    await asyncio.gather(*busy)
