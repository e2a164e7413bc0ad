"""Messages that are numbered, and say when they were to be sent: none is lost or doubled without being noticed."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from tests.bench.latencies import Latencies
from tests.bench.queues import Message, Queues

SIZE = 1024
"""Characters of a message, about."""
NOISE = secrets.token_urlsafe(2**20)
"""What messages are filled with, each by another part: it hardly compresses."""


class Numbered:
    """The traffic of one queue."""

    def __init__(self, queues: Queues, batch: int) -> None:
        self.deliveries = bytearray()
        """Of each message, by its number."""
        self.took = Latencies()
        """From when a message was to be sent until it was received."""
        self._queues = queues
        self._batch = batch

    async def send(self, count: int) -> None:
        await self._send(count, time.monotonic())

    def paced(self, rate: float) -> Callable[[int], Awaitable[None]]:
        """A `send` of so many messages a second. What is late because the system was busy counts as late."""
        began, sent = time.monotonic(), 0

        async def send(count: int) -> None:
            nonlocal sent
            due = began + sent / rate
            sent += count
            await asyncio.sleep(due - time.monotonic())
            await self._send(count, due)

        return send

    async def _send(self, count: int, due: float) -> None:
        first = len(self.deliveries)
        self.deliveries += bytes(count)
        values = [f"{number} {due} {noise(number)}" for number in range(first, first + count)]
        await self._queues.send_values(values)

    async def settle(self) -> int:
        """Receive and acknowledge some."""
        return await self._queues.settle(self._batch, self._note)

    def _note(self, messages: list[Message]) -> None:
        now = time.monotonic()
        for message in messages:
            number, due, _ = message["value"].split(" ", 2)
            self.deliveries[int(number)] += 1
            self.took.add(now - float(due))

    @property
    def lost(self) -> int:
        return self.deliveries.count(0)

    @property
    def doubled(self) -> int:
        return len(self.deliveries) - self.deliveries.count(0) - self.deliveries.count(1)


def noise(number: int) -> str:
    begin = number * SIZE % (len(NOISE) - SIZE)
    return NOISE[begin : begin + SIZE]
