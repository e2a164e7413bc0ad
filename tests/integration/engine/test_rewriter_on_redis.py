"""A log of which one record in a hundred is left: what Redis holds of it before and after it is rewritten."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from quintet_broker.engine.lanes.log import SEGMENT_MAX_AGE
from quintet_broker.engine.shards.rewriter import PAUSE
from quintet_broker.store.redis import Store
from tests.processes import RedisServer
from tests.unit.fake_store import FaultyStore
from tests.unit.shard_bench import Bench, values

COUNT = 3000
HALF_AN_HOUR = 1_800_000


@pytest.fixture
async def bench(redis_server: RedisServer) -> AsyncIterator[Bench]:
    store = Store(redis_server.url, str(uuid.uuid4()))
    await store.connect()
    bench = Bench()
    bench.store = FaultyStore(store)
    yield bench
    await store.close()


async def test_redis_keeps_little_else(bench: Bench, redis_server: RedisServer) -> None:
    shard = bench.open(1)
    for start in range(0, COUNT, 100):
        await bench.send(shard, *(b"%d " % number + bytes(1000) for number in range(start, start + 100)))
    kept = []
    while received := await bench.receive(shard, 100, visibility=HALF_AN_HOUR):
        kept += [delivery for delivery in received if delivery.offset % 100 == 37]
        await bench.acknowledge(shard, *(delivery for delivery in received if delivery not in kept))
    before = await memory(bench, redis_server)
    bench.store.time += SEGMENT_MAX_AGE + 1
    bench.store.full = True
    while shard.wants_rewrite(bench.store.now()):
        running = asyncio.ensure_future(shard.rewrite(bench.store.now()))
        while not running.done():
            await bench.turn()
        await running
        bench.store.time += PAUSE
    after = await memory(bench, redis_server)
    print(f"{before=} {after=}")
    assert after < before / 5
    bench.store.time += HALF_AN_HOUR
    assert values(await bench.receive(bench.open(1), 100)) == values(kept)


async def memory(bench: Bench, server: RedisServer) -> int:
    """Bytes that the segments take."""
    store = bench.store.inner
    assert isinstance(store, Store)
    async with Redis.from_url(server.url) as redis:
        keys = [key async for key in redis.scan_iter(match=f"*{store.keys.prefix}*seg:*")]
        return sum([await redis.memory_usage(key) or 0 for key in keys])
