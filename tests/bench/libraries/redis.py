"""Redis Streams by redis-py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis

from tests.bench.clients.client import Client
from tests.bench.clients.resp import BATCH, GROUP
from tests.bench.flow import MESSAGE
from tests.bench.system import System

CONNECTIONS = 32
"""Each has one command under way."""


class RedisPy:
    """A command a call, but of more than one message all in a pipeline."""

    def __init__(self, redis: Any, stream: str, multiple: bool) -> None:
        """`multiple`: acknowledges all that it received by one command."""
        self._redis = redis
        self._multiple = multiple
        self._stream = stream

    async def send(self, count: int) -> None:
        if count == 1:
            await self._redis.xadd(self._stream, {"b": MESSAGE})
            return
        pipeline = self._redis.pipeline(transaction=False)
        for _ in range(count):
            pipeline.xadd(self._stream, {"b": MESSAGE})
        await pipeline.execute()

    async def settle(self) -> int:
        answer = await self._redis.xreadgroup(GROUP, "one", {self._stream: ">"}, count=BATCH, block=100)
        ids = [identity for _, entries in cast(Any, answer) for identity, _ in entries]
        for some in [ids] if ids and self._multiple else [[identity] for identity in ids]:
            await self._redis.xack(self._stream, GROUP, *some)
        return len(ids)

    async def finish(self) -> None:
        pass


@asynccontextmanager
async def redis_client(system: System, *, multiple: bool = False) -> AsyncIterator[Client]:
    stream = system.new_name()
    pool = BlockingConnectionPool.from_url(system.redis.url, max_connections=CONNECTIONS, timeout=None)
    async with Redis.from_pool(pool) as redis:
        await redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
        yield RedisPy(redis, stream, multiple)
        await redis.unlink(stream)
