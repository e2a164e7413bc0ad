"""/v1/ without a client: JSON over HTTP, bodies made and read by msgspec."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.clients.client import Client
from tests.bench.flow import MESSAGE
from tests.bench.queues import BATCH, Queues, queues
from tests.bench.system import System


class Http:
    def __init__(self, queues: Queues) -> None:
        self.send = queues.send
        self._queues = queues

    async def settle(self) -> int:
        return await self._queues.settle(BATCH)

    async def finish(self) -> None:
        pass


@asynccontextmanager
async def http(system: System) -> AsyncIterator[Client]:
    async with queues(system, value=MESSAGE) as some:
        yield Http(some)
