"""Our client with its defaults."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import quintet
from tests.bench.clients.client import Client
from tests.bench.flow import MESSAGE
from tests.bench.queues import new_queue
from tests.bench.system import System

BATCH = 100
"""Messages of a receive."""


class Batches:
    """Sends, receives and acknowledges many messages a call."""

    def __init__(self, queue: quintet.Queue) -> None:
        self._queue = queue

    async def send(self, count: int) -> None:
        await self._queue.send_batch([MESSAGE] * count)

    async def settle(self) -> int:
        messages = await self._queue.receive_batch(BATCH, wait=1)
        if messages:
            await self._queue.acknowledge_batch(messages)
        return len(messages)

    async def finish(self) -> None:
        pass


class Singles:
    """A message a call; the client gathers what is under way."""

    def __init__(self, queue: quintet.Queue) -> None:
        self._queue = queue
        self._receiver = queue.receive()

    async def send(self, count: int) -> None:
        for _ in range(count):
            await self._queue.send(MESSAGE)

    async def settle(self) -> int:
        message = await anext(self._receiver)
        await message.acknowledge()
        return 1

    async def finish(self) -> None:
        await self._receiver.aclose()


@asynccontextmanager
async def batches(system: System) -> AsyncIterator[Client]:
    async with new_queue(system) as name, quintet.connect(system.broker.http_url) as connection:
        yield Batches(connection.queue(name))


@asynccontextmanager
async def singles(system: System) -> AsyncIterator[Client]:
    async with new_queue(system) as name, quintet.connect(system.broker.http_url) as connection:
        yield Singles(connection.queue(name))
