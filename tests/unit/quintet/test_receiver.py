"""The iterator against a model of a broker: it never holds more than `ahead`, and whatever ends, moves or breaks, each
message that was delivered is handed out or released, once, unless it was lost with its connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet import frames, receiver
from quintet.connection import Connection
from quintet.errors import ConnectionLost
from quintet.message import Message
from quintet.queue import Queue
from quintet.receive import Inbox, Receive
from quintet.receiver import Receiver
from quintet.settling import Settling

AHEAD = 7
TURNS = 3
"""Of the event loop, that a frame takes."""


def delivered(number: int) -> frames.Delivered:
    return frames.Delivered(str(number), f"r{number}", b"", None, (), 0, 0, 1, None, None, None, None, None)


class FakeLink:
    """One broker's end of a connection: what it is told takes some turns."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.reader: Receive | None = None
        self.credit = 0

    async def receive(self, asked: frames.Receive, reader: Receive) -> None:
        await asyncio.sleep(0)
        self.reader, self.credit = reader, asked.credit

    def say(self, frame: frames.Credit | frames.Cancel) -> None:
        asyncio.ensure_future(self._take(frame))  # noqa: RUF006

    async def _take(self, frame: frames.Credit | frames.Cancel) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if self.reader is None:
            return
        if isinstance(frame, frames.Credit):
            self.credit += frame.credit
        else:
            self.end(None)

    def deliver(self, count: int) -> None:
        count = min(count, self.credit)
        if self.reader is None or not count:
            return
        self.credit -= count
        messages = [delivered(self.broker.next + place) for place in range(count)]
        self.broker.next += count
        self.broker.delivered |= {found.receipt for found in messages}
        self.reader.deliver(frames.Deliver(0, messages, open=True))

    def end(self, error: ConnectionLost | None) -> None:
        reader, self.reader = self.reader, None
        if reader is None:
            return
        if error:
            reader.end(error)
        else:
            reader.deliver(frames.Deliver(0, [], open=False))


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

    async def finish(self, receive: Receive | None, inbox: Inbox) -> None:
        if receive and not receive.over:
            receive.cancel()
            await receive.ended()
        self.released += [found.receipt for _, found in inbox]
        inbox.clear()

    def finish_later(self, receive: Receive | None, inbox: Inbox) -> None:
        asyncio.ensure_future(self.finish(receive, inbox))  # noqa: RUF006

    def held_or_coming(self) -> int:
        """Of a client, as this broker sees it."""
        return sum(link.credit for link in self.both if link.reader)


steps = st.lists(
    st.sampled_from(["read", "read", "read", "idle", "break", "move", "deliver 1", "deliver 3", "deliver 20"]),
    max_size=40,
)


async def run(broker: Broker, did: list[str]) -> None:
    queue = cast(Queue, type("Named", (), {"name": "orders"})())
    found: list[Message] = []
    reading: list[asyncio.Task[Message]] = []
    messages = Receiver(queue, cast(Connection, broker), cast(Settling, broker), 30.0, None, AHEAD)
    for step in did:
        verb, _, count = step.partition(" ")
        if verb == "read":
            reading.append(asyncio.ensure_future(anext(messages)))
        elif verb == "idle":
            messages._read_at = -1e9
            messages._look()
        elif verb == "break":
            for link in broker.both:
                link.end(ConnectionLost())
        elif verb == "move":
            broker.owner = broker.both[1] if broker.owner is broker.both[0] else broker.both[0]
            if messages._receive:
                messages._receive.poke()
        else:
            for link in broker.both:
                link.deliver(int(count))
        for _ in range(TURNS // 2):
            await asyncio.sleep(0)
        unread = broker.delivered - {task.result().receipt for task in reading if task.done()} - set(broker.released)
        assert len(unread) + broker.held_or_coming() <= AHEAD
    for _ in range(10 * TURNS):
        await asyncio.sleep(0)
    # Whoever reads gets something while there is something.
    waiting = [task for task in reading if not task.done()]
    while waiting:
        before = len(waiting)
        for _ in range(200):
            for link in broker.both:
                link.deliver(1)
            await asyncio.sleep(0)
        waiting = [task for task in reading if not task.done()]
        assert len(waiting) < before
    await messages.aclose()
    found = [task.result() for task in reading]
    handed = [message.receipt for message in found] + broker.released
    assert len(handed) == len(set(handed))
    assert set(handed) == broker.delivered
    assert broker.held_or_coming() == 0


@given(steps)
def test_each_message_is_handed_out_or_released_once(did: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receiver, "pauses", lambda: iter(lambda: 0.0, None))
        asyncio.run(run(Broker(), did))


async def test_reader_that_is_not_read_has_no_credit_left() -> None:
    broker: Any = Broker()
    queue: Any = type("Named", (), {"name": "orders"})()
    messages = Receiver(queue, broker, broker, 30.0, None, AHEAD)
    reading = asyncio.ensure_future(anext(messages))
    for _ in range(10):
        await asyncio.sleep(0)
    assert broker.held_or_coming() == AHEAD
    messages._look()
    broker.both[0].deliver(1)
    await reading
    assert broker.held_or_coming() == AHEAD - 1
    messages._read_at = -1e9
    messages._look()
    for _ in range(10):
        await asyncio.sleep(0)
    assert broker.held_or_coming() == 0
