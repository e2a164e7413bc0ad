"""Our client as it is meant to be used: a message a call, many at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import quintet
from tests.bench.flow import MESSAGE, Run, flow
from tests.bench.system import System

PRODUCERS = 200
CONSUMERS = 4
BATCH = 100
READERS = 100
"""Of one iterator."""


@asynccontextmanager
async def client(system: System) -> AsyncIterator[Run]:
    """One message a call, received by batches; the client gathers what is under way."""
    async with _queue(system) as queue:

        async def settle() -> int:
            messages = await queue.receive_batch(BATCH, wait=1)
            await asyncio.gather(*(message.acknowledge() for message in messages))
            return len(messages)

        yield partial(flow, batch=1, send=_sending(queue), settle=settle, producers=PRODUCERS, consumers=CONSUMERS)


@asynccontextmanager
async def iterator(system: System) -> AsyncIterator[Run]:
    """One message a call, pushed to an iterator that many tasks read."""
    async with _queue(system) as queue:
        receiver = queue.receive()

        async def settle() -> int:
            await (await anext(receiver)).acknowledge()
            return 1

        yield partial(flow, batch=1, send=_sending(queue), settle=settle, producers=PRODUCERS, consumers=READERS)
        await receiver.aclose()


@asynccontextmanager
async def _queue(system: System) -> AsyncIterator[quintet.Queue]:
    async with quintet.connect(system.broker.http_url) as connection:
        name = system.new_name()
        await connection.create_queue(name)
        yield connection.queue(name)
        await connection.delete_queue(name)


def _sending(queue: quintet.Queue) -> Callable[[int], Awaitable[None]]:
    async def send(_: int) -> None:
        await queue.send(MESSAGE)

    return send
