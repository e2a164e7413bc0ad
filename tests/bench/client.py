"""Our client as it is meant to be used: a message a call, many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import quintet
from tests.bench.flow import MESSAGE, Run, flow
from tests.bench.system import System

PRODUCERS = 200
CONSUMERS = 4
BATCH = 100


@asynccontextmanager
async def client(system: System) -> AsyncIterator[Run]:
    """One message a call; the client gathers what is under way."""
    async with quintet.connect(system.broker.http_url) as connection:
        name = system.new_name()
        await connection.create_queue(name)
        queue = connection.queue(name)

        async def send(_: int) -> None:
            await queue.send(MESSAGE)

        async def settle() -> int:
            messages = await queue.receive_batch(BATCH, wait=1)
            await asyncio.gather(*(message.acknowledge() for message in messages))
            return len(messages)

        yield partial(flow, batch=1, send=send, settle=settle, producers=PRODUCERS, consumers=CONSUMERS)
        await connection.delete_queue(name)
