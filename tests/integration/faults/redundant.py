"""Brokers over Redis processes that stand in for each other, under the prober."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
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
    brokers: list[Broker]
    prober: Prober
    ports: list[GatedPort]
    """One to each broker, open."""

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
        books = self.prober.ledger
        for port in self.ports:
            port.gate.clear()
        await self.prober.until(
            lambda: not any(port.asking for port in self.ports) and books.received == books.acknowledged, within=60
        )

    def receive(self) -> None:
        for port in self.ports:
            port.gate.set()

    async def send_some(self) -> None:
        """Until so many more are confirmed."""
        confirmed = self.prober.ledger.confirmed + SOME
        await self.prober.until(lambda: self.prober.ledger.confirmed >= confirmed, within=60)

    @property
    def told(self) -> str:
        """What the brokers' logs tell."""
        return "".join(broker.log.read_text() for broker in self.brokers)

    async def until_told(self, text: str) -> None:
        await self.prober.until(lambda: text in self.told, within=60)


@asynccontextmanager
async def running(
    directory: Path, redises: RedisSet, durability: str, load: Load, ordering: str = "Standard", brokers: int = 1
) -> AsyncIterator[System]:
    started = [
        Broker(directory, redises.url, durability=durability, pod_name=f"broker-{number}") for number in range(brokers)
    ]
    try:
        await asyncio.to_thread(redises.start)
        await asyncio.to_thread(_start, started)
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(quintet.connect(broker.http_url, timeout=60)) for broker in started
            ]
            await clients[0].create_queue("orders", {"ordering": ordering})
            ports = [GatedPort(client.queue("orders"), ordered=ordering == "Fifo") for client in clients]
            prober = await stack.enter_async_context(Prober(ports, load))
            system = System(redises, started, prober, ports)
            system.receive()
            yield system
    finally:
        for broker in started:
            broker.kill()
        redises.kill()


def _start(brokers: list[Broker]) -> None:
    for broker in brokers:
        broker.launch()
    for broker in brokers:
        broker.wait_until_up()
