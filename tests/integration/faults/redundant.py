"""A broker over Redis processes that stand in for each other, under the prober."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

import quintet
from quintet_broker.store.keys import Keys
from tests.integration.faults.stored import Stored, log_of
from tests.prober.ledger import Name
from tests.prober.ports import GatedPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker
from tests.redis_sets import RedisNode, RedisSet

SHARD = Keys("test").meta(1)
"""A key of the first queue's shard."""
SOME = 40
"""Messages."""


class System(Struct):
    """What is put to the test."""

    redises: RedisSet
    broker: Broker
    prober: Prober
    port: GatedPort
    """Open."""

    @property
    def primary(self) -> RedisNode:
        """Of the queue's shard."""
        return self.redises.primary_of(SHARD)

    @property
    def unreceived(self) -> set[Name]:
        return self.prober.ledger.unreceived

    def log(self) -> Stored:
        """What the primary keeps."""
        with self.primary.client as redis:
            return log_of(redis)

    async def stop_receiving(self) -> None:
        """Until all that was received is acknowledged."""
        books, port = self.prober.ledger, self.port
        port.gate.clear()
        await self.prober.until(lambda: not port.asking and books.received == books.acknowledged, within=10)

    async def send_some(self) -> None:
        """Until so many more are confirmed."""
        confirmed = self.prober.ledger.confirmed + SOME
        await self.prober.until(lambda: self.prober.ledger.confirmed >= confirmed, within=20)

    async def told(self, text: str) -> None:
        """Until the broker's log tells it."""
        await self.prober.until(lambda: text in self.broker.log.read_text(), within=20)


@asynccontextmanager
async def running(
    directory: Path, redises: RedisSet, durability: str, load: Load, *, ordered: bool = False
) -> AsyncIterator[System]:
    broker = Broker(directory, redises.url, durability=durability)
    try:
        await asyncio.to_thread(redises.start)
        await asyncio.to_thread(broker.start)
        async with quintet.connect(broker.http_url, timeout=60) as client:
            await client.create_queue("orders")
            port = GatedPort(client.queue("orders"), ordered=ordered)
            port.gate.set()
            async with Prober([port], load) as prober:
                yield System(redises, broker, prober, port)
    finally:
        broker.kill()
        redises.kill()
