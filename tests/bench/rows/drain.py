"""A backlog: how fast it goes in and out, beside the rate of messages that do not wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from redis.asyncio import Redis

import quintet
from tests.bench.flow import MESSAGE, Done, Run, flow
from tests.bench.libraries.quintet import BATCH, Batches
from tests.bench.queues import new_queue, repeat
from tests.bench.runner import MEMORY, Contender, Open, Row
from tests.bench.system import System

AT_ONCE = 4
"""Calls under way, of sends and then of receives."""
PART = 10
"""That part of the messages tells the rate of those that do not wait, and fills a pool."""
LEAST = 4 * 2**20
"""Bytes for messages in a pool that is filled."""
REFUSED_AFTER = 1.0
"""Seconds for which a send into a full pool is tried."""

Work = Callable[[System, quintet.Queue, int], Awaitable[Done]]


async def live(_: System, queue: quintet.Queue, count: int) -> Done:
    client = Batches(queue)
    return await flow(count // PART, BATCH, client.send, client.settle, AT_ONCE, AT_ONCE)


async def backlog(_: System, queue: quintet.Queue, count: int) -> Done:
    began = time.perf_counter()
    await repeat(count // BATCH, partial(Batches(queue).send, BATCH), AT_ONCE)
    return await _drained(queue, count // BATCH * BATCH, began)


async def full(system: System, queue: quintet.Queue, count: int) -> Done:
    """As many messages as a pool takes that has room for about `count // PART`."""
    async with Redis.from_url(system.redis.url) as redis:
        used = (await redis.info("memory"))["used_memory"]
        await redis.config_set("maxmemory", used + max(LEAST, count // PART * len(MESSAGE)))
        began = time.perf_counter()
        stored = sum(await asyncio.gather(*(_fill(queue) for _ in range(AT_ONCE))))
        return await _drained(queue, stored, began)


async def _fill(queue: quintet.Queue) -> int:
    """Send until the pool is full; how many were stored."""
    client, stored = Batches(queue), 0
    while True:
        try:
            await client.send(BATCH)
        except quintet.PoolFull:
            return stored
        stored += BATCH


async def _drained(queue: quintet.Queue, count: int, began: float) -> Done:
    """Bring so many, which were sent since then, out of the queue. Raises RuntimeError where others are left."""
    client, settled, sent = Batches(queue), 0, time.perf_counter()

    async def consume() -> None:
        nonlocal settled
        while settled < count:
            some = await client.settle()
            settled += some

    await asyncio.gather(*(consume() for _ in range(AT_ONCE)))
    done = time.perf_counter()
    left = (await queue.info()).counts
    if settled != count or left.visible or left.in_flight or left.delayed:
        raise RuntimeError(f"{count} messages were sent, {settled} received; there are {left}")
    return Done(count, {"sent/s": count / (sent - began), "drained/s": count / (done - sent)})


def doing(work: Work) -> Open:
    @asynccontextmanager
    async def contender(system: System) -> AsyncIterator[Run]:
        async with new_queue(system) as name, quintet.connect(system.url, timeout=REFUSED_AFTER) as connection:
            yield partial(work, system, connection.queue(name))

    return contender


ROW = Row(
    "A backlog of 1 KiB messages, by our client",
    [
        Contender("sent and received at once", System, doing(live), MEMORY),
        Contender("sent, then drained", System, doing(backlog), MEMORY),
        Contender("sent until the pool is full, then drained", System, doing(full), MEMORY),
    ],
    messages=2_000_000,
    once=True,
)
