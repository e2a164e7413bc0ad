"""Raw Redis Streams: what there is to win over the broker, for whoever writes all of it by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from redis.asyncio import Redis

from tests.bench.flow import MESSAGE, Run, flow
from tests.bench.system import System

BATCH = 100
"""Commands in a pipeline."""
GROUP = "bench"


@asynccontextmanager
async def redis_streams(system: System) -> AsyncIterator[Run]:
    """One XADD a message and a consumer group, pipelined by 100."""
    stream = system.new_name()
    async with Redis.from_url(system.redis.url) as redis:
        await redis.xgroup_create(stream, GROUP, id="0", mkstream=True)

        async def send(count: int) -> None:
            pipe = redis.pipeline(transaction=False)
            for _ in range(count):
                pipe.xadd(stream, {"b": MESSAGE})
            await pipe.execute()

        async def settle() -> int:
            answer = cast(Any, await redis.xreadgroup(GROUP, "one", {stream: ">"}, count=BATCH, block=100))
            ids = [entry for _, entries in answer for entry, _ in entries]
            if ids:
                await redis.xack(stream, GROUP, *ids)
            return len(ids)

        yield partial(flow, batch=BATCH, send=send, settle=settle, producers=4, consumers=4)
        await redis.unlink(stream)
