"""Brokers of one pool: clients reach any of them, as behind a Service, and follow the owners of their queues."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import quintet
from tests.bench.flow import Done, Run, flow
from tests.bench.libraries.quintet import BATCH, Batches
from tests.bench.queues import new_queue
from tests.bench.runner import MEMORY, Contender, Row
from tests.bench.system import System

QUEUES = 6
AT_ONCE = 4
"""Sends, and receives, of one queue."""


class TwoBrokers(System):
    def __init__(self, durability: str) -> None:
        super().__init__(durability, brokers=2)


class ThreeBrokers(System):
    def __init__(self, durability: str) -> None:
        super().__init__(durability, brokers=3)


@asynccontextmanager
async def spread(system: System) -> AsyncIterator[Run]:
    """Six queues, each with a client of its own; the brokers are their first addresses in turn."""
    urls = itertools.cycle(broker.http_url for broker in system.brokers)
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(QUEUES):
            name = await stack.enter_async_context(new_queue(system))
            connection = await stack.enter_async_context(quintet.connect(next(urls)))
            clients.append(Batches(connection.queue(name)))

        async def bring(count: int) -> Done:
            share = count // QUEUES
            runs = [flow(share, BATCH, each.send, each.settle, AT_ONCE, AT_ONCE) for each in clients]
            return Done(sum(done.messages for done in await asyncio.gather(*runs)))

        yield bring


ROW = Row(
    f"Brokers of one pool, {QUEUES} queues, by our client",
    [
        Contender("one broker", System, spread, MEMORY),
        Contender("two, one a core", TwoBrokers, spread, MEMORY),
        Contender("three behind a Service", ThreeBrokers, spread, MEMORY),
    ],
    messages=40_000,
)
