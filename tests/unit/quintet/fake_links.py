"""A model of brokers, of which a client is told and given messages in the turns of the event loop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from quintet import frames, wire
from quintet.errors import ConnectionLost
from quintet.receive import Inbox, Receive

TURNS = 3
"""Of the event loop, that a frame takes."""


def delivered(number: int) -> frames.Delivered:
    return frames.Delivered(str(number), f"r{number}", b"", None, [], 0, 0, 1, None, None, None, None, None)


class Orders:
    """The queue."""

    name = "orders"

    async def info(self) -> wire.QueueInfo:
        spec = {"visibilityTimeout": "30s", "consumers": "Shared"}
        return wire.QueueInfo("orders", "Runtime", spec, wire.Counts(0, 0, 0), None, 0, 0)


class FakeLink:
    """One broker's end of a connection: what it is told takes some turns."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.credit: dict[int, int] = {}
        """By receive."""
        self._readers: dict[int, Receive] = {}
        self._last = 0

    def receive(self, asked: frames.Receive, reader: Receive) -> None:
        self._last += 1
        asked.id = self._last
        self._readers[asked.id], self.credit[asked.id] = reader, asked.credit

    def say(self, frame: frames.Credit | frames.Cancel) -> None:
        asyncio.ensure_future(self._take(frame))  # noqa: RUF006

    async def _take(self, frame: frames.Credit | frames.Cancel) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if frame.id not in self.credit:
            return
        if isinstance(frame, frames.Credit):
            self.credit[frame.id] += frame.credit
        else:
            del self.credit[frame.id]
            self._readers.pop(frame.id).deliver(frames.Deliver(frame.id, [], open=False))

    def deliver(self, count: int) -> None:
        for number, reader in self._readers.items():
            some = min(count, self.credit[number])
            self.credit[number] -= some
            messages = [delivered(self.broker.next + place) for place in range(some)]
            self.broker.next += some
            self.broker.delivered |= {found.receipt for found in messages}
            reader.deliver(frames.Deliver(number, messages, open=True))

    def lose(self) -> None:
        readers, self._readers, self.credit = self._readers, {}, {}
        for reader in readers.values():
            reader.end(ConnectionLost())


class Broker:
    """A pool of two, and what the client asks of its links and its settling."""

    timeout = 30.0

    def __init__(self) -> None:
        self.next = 0
        self.delivered: set[str] = set()
        self.released: list[str] = []
        self.links = self
        self.both = [FakeLink(self), FakeLink(self)]
        self.owner: FakeLink | None = None

    @asynccontextmanager
    async def attempt(self, queue: str, within: float) -> AsyncIterator[FakeLink]:
        yield self.owner or self.both[0]

    def to_owner(self, queue: str) -> FakeLink | None:
        return self.owner

    async def finish(self, receive: Receive | None, inbox: Inbox, done: str | None = None) -> None:
        if receive and not receive.over:
            receive.cancel()
            await receive.ended()
        self.released += [message.receipt for _, message in inbox]
        inbox.clear()

    def finish_later(self, receive: Receive | None, inbox: Inbox, done: str | None = None) -> None:
        asyncio.ensure_future(self.finish(receive, inbox))  # noqa: RUF006

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return asyncio.ensure_future(work)

    def held_or_coming(self) -> int:
        """Of a client, as this broker sees it."""
        return sum(credit for link in self.both for credit in link.credit.values())
