"""JetStream by nats-py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.clients.client import Client
from tests.bench.flow import MESSAGE
from tests.bench.libraries.library import library, together
from tests.bench.peers.nats import Nats

BATCH = 100
"""Messages of a pull."""


class NatsPy:
    def __init__(self, connection: Any, subject: str, subscription: Any) -> None:
        self._connection = connection
        self._jetstream = connection.jetstream()
        self._subject = subject
        self._subscription = subscription

    async def send(self, count: int) -> None:
        await together(count, self._publish)

    async def _publish(self) -> None:
        await self._jetstream.publish(self._subject, MESSAGE.encode())

    async def settle(self) -> int:
        messages = await self._subscription.fetch(BATCH, timeout=60)
        for message in messages:
            await message.ack()
        return len(messages)

    async def finish(self) -> None:
        await self._connection.flush()


@asynccontextmanager
async def nats_client(server: Nats) -> AsyncIterator[Client]:
    """A stream that keeps a message until it was acknowledged."""
    name = server.new_name()
    async with await library("nats").connect(f"nats://127.0.0.1:{server.port}") as connection:
        jetstream = connection.jetstream()
        await jetstream.add_stream(name=name, subjects=[name], storage="file", retention="workqueue")
        subscription = await jetstream.pull_subscribe(name, durable="all")
        yield NatsPy(connection, name, subscription)
        await jetstream.delete_stream(name)
