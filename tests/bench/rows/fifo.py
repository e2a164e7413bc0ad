"""A Fifo queue with deduplication for some minutes. Ids are kept for five: for so long memory grows, and no longer."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import quintet
from tests.bench.flow import MESSAGE, Done, Run
from tests.bench.queues import new_queue
from tests.bench.runner import MEMORY, Contender, Open, Row
from tests.bench.system import System

GROUPS = [f"group-{number}" for number in range(100)]
BATCH = 100
"""Messages a call."""
RECEIVED = 500
"""Messages a call, at most."""
AT_ONCE = 4
"""Sends, and receives."""
BACKLOG = 10_000
"""Messages: with more, producers wait."""
MINUTE = 60.0


class Traffic:
    """Of one queue, until so much time has gone and so many messages are through.

    `run`: messages of a group that follow each other.
    """

    def __init__(self, queue: quintet.Queue, run: int, seconds: float, count: int) -> None:
        self.sent = self.settled = 0
        self._queue = queue
        self._count = count
        self._ends = time.monotonic() + seconds
        self._groups = itertools.chain.from_iterable(itertools.repeat(group, run) for group in itertools.cycle(GROUPS))

    @property
    def _sending(self) -> bool:
        return self.sent < self._count or time.monotonic() < self._ends

    async def produce(self) -> None:
        while self._sending:
            if self.sent - self.settled > BACKLOG:
                await asyncio.sleep(0.01)
                continue
            first = self.sent
            self.sent += BATCH
            await self._queue.send_batch(
                [
                    quintet.NewMessage(MESSAGE, key=next(self._groups), deduplication_id=f"order-{number}")
                    for number in range(first, self.sent)
                ]
            )

    async def consume(self) -> None:
        while self._sending or self.settled < self.sent:
            messages = await self._queue.receive_batch(RECEIVED, wait=0.1)
            if messages:
                await self._queue.acknowledge_batch(messages)
                self.settled += len(messages)


async def watch(system: System, minutes: float) -> dict[str, float]:
    """MB of the broker and of Redis, by the minute."""
    held: dict[str, float] = {}
    for minute in range(1, int(minutes) + 1):
        await asyncio.sleep(MINUTE)
        held |= {f"{name} MB, minute {minute}": amount for name, amount in system.memory().items()}
    return held


def row(minutes: float) -> Row:
    def fifo(run: int) -> Open:
        @asynccontextmanager
        async def contender(system: System) -> AsyncIterator[Run]:
            async with new_queue(system, ordering="Fifo") as name, quintet.connect(system.url) as connection:

                async def bring(count: int) -> Done:
                    return await through(system, Traffic(connection.queue(name), run, MINUTE * minutes, count), minutes)

                yield bring

        return contender

    contenders = [
        Contender("a group a call, of 100 messages", System, fifo(BATCH), MEMORY),
        Contender("another group each message", System, fifo(1), MEMORY),
    ]
    title = f"Fifo with deduplication, {len(GROUPS)} groups, 1 KiB, by our client, {minutes:g} min each"
    return Row(title, contenders, messages=1_000, once=True)


async def through(system: System, traffic: Traffic, minutes: float) -> Done:
    """All of it, with what processes held by the minute."""
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(system, minutes))
        for _ in range(AT_ONCE):
            group.create_task(traffic.produce())
            group.create_task(traffic.consume())
    return Done(traffic.settled, watching.result())
