"""How clients are driven: a contender's `open`, made of how a client is opened."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from tests.bench.clients.client import Client
from tests.bench.flow import Done, Run, flow
from tests.bench.latencies import Latencies
from tests.bench.runner import Open

Opened = Callable[[Any], AbstractAsyncContextManager[Client]]


def flowing(opened: Opened, batch: int, producers: int, consumers: int) -> Open:
    """All the way: so many producers send so many a call, so many consumers settle."""

    @asynccontextmanager
    async def contender(server: Any) -> AsyncIterator[Run]:
        async with opened(server) as client:

            async def bring(count: int) -> Done:
                done = await flow(count, batch, client.send, client.settle, producers, consumers)
                await client.finish()
                return done

            yield bring

    return contender


def publishing(opened: Opened) -> Open:
    """Sends alone, one message outstanding."""

    @asynccontextmanager
    async def contender(server: Any) -> AsyncIterator[Run]:
        async with opened(server) as client:
            yield partial(_publish, client)

    return contender


async def _publish(client: Client, count: int) -> Done:
    took = Latencies()
    for _ in range(count):
        began = time.perf_counter()
        await client.send(1)
        took.add(time.perf_counter() - began)
    return Done(count, {"p50 ms": 1000 * took.within(0.5), "p99 ms": 1000 * took.within(0.99)})
