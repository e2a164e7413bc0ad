"""Ahead: messages that come before `receive_batch` asks for them, where its calls follow each other at once.

Each call alone costs a way to the broker and back, which is most of the time of a program that does little else. So a
receive is left open for the next ones, as an iterator has it. What it holds is hidden from others: therefore it is
little, for a moment, and given back as soon as no calls come.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from quintet import frames, wire
from quintet.connection import Connection
from quintet.errors import QuintetError
from quintet.message import Message, Run
from quintet.receive import Receive
from quintet.window import Window, in_a_moment

if TYPE_CHECKING:
    from quintet.queue import Queue
    from quintet.settling import Settling

BUSY_MESSAGES = 500
"""Plain ones, received within a second, after which it is worth it."""
HELD = 0.2
"""Seconds after the last call in which all is given back; nothing is held for longer than twice of it."""
HIDDEN = 10 * HELD
"""Seconds of visibility timeout, at least: else there would be too little left of it."""
REST = 10.0
"""Seconds until it is tried again where it cannot be."""


class Standing(Receive):
    """A receive that several calls wait for."""

    def __init__(self, asked: frames.Receive, queue: "Queue") -> None:
        super().__init__(asked, queue)
        self.window = Window(asked.credit)
        self._calls: deque[asyncio.Future[None]] = deque()

    async def some(self, ends_at: float) -> None:
        """Until there may be something, or it is over or cancelled, or the loop has come to that time."""
        call = asyncio.get_running_loop().create_future()
        self._calls.append(call)
        try:
            async with asyncio.timeout_at(ends_at):
                await call
        except TimeoutError:
            return
        except asyncio.CancelledError:
            if not call.cancelled():
                # What it was called for is another one's.
                self._call(1)
            raise
        finally:
            if call in self._calls:
                self._calls.remove(call)

    def deliver(self, frame: frames.Deliver | frames.DeliverBatches) -> None:
        super().deliver(frame)
        self._call(len(self._calls) if self.over else len(self.inbox))

    def end(self, error: QuintetError) -> None:
        super().end(error)
        self._call(len(self._calls))

    def cancel(self) -> None:
        super().cancel()
        self._call(len(self._calls))

    def _call(self, most: int) -> None:
        while self._calls and most > 0:
            call = self._calls.popleft()
            if not call.done():
                call.set_result(None)
                most -= 1


class Ahead:
    """Of one queue. Only messages that come in batches are received so: without keys, priorities, groups."""

    def __init__(self, queue: "Queue", connection: Connection, settling: "Settling") -> None:
        self._queue = queue
        self._connection = connection
        self._settling = settling
        self._standing: Standing | None = None
        self._hidden_for: float | None = None
        """The visibility timeout that its calls ask for."""
        self._limit = 1
        """Of the last call."""
        self._calls = 0
        """Which wait."""
        self._called_at = 0.0
        self._counted_from = 0.0
        self._received = 0
        """Messages by calls of their own, since then."""
        self._opens = False
        self._closed = False

    async def take(self, limit: int, wait: float, hidden_for: float | None) -> tuple[list[Message], float]:
        """Up to `limit` messages that are held or come; if none, the seconds left to wait for some.

        What is held and is not for this call is given back, which takes no longer than `wait` either.
        """
        standing = self._standing
        if standing is None:
            return [], wait
        now = self._now()
        ends_at = now + wait
        if hidden_for != self._hidden_for or self._is_late(standing, now):
            await self.close(wait)
            return [], self._left(ends_at)
        self._limit = limit
        self._calls += 1
        try:
            while not standing.inbox and not (standing.over or standing.cancelled) and self._now() < ends_at:
                standing.window.fill(standing, self._fitting)
                await standing.some(ends_at)
        finally:
            self._calls -= 1
            self._called_at = self._now()
        found = [standing.inbox.popleft()[1] for _ in range(min(limit, len(standing.inbox)))]
        if not found:
            await self.close(self._left(ends_at))
            return [], self._left(ends_at)
        if self._standing is standing:
            standing.window.count(len(found))
            standing.window.fill(standing, self._fitting)
        return found, 0.0

    def received(self, messages: list[Message], limit: int, hidden_for: float | None) -> None:
        """A call received these for itself."""
        now = self._now()
        if now > self._counted_from + 1 or hidden_for != self._hidden_for:
            self._counted_from, self._received, self._hidden_for = now, 0, hidden_for
        if not messages or not _is_plain(messages[-1]) or self._standing or self._opens:
            return
        self._received += len(messages)
        if self._received >= BUSY_MESSAGES and not self._closed:
            self._opens = True
            self._limit = limit
            self._connection.start(self._open(hidden_for))

    async def close(self, within: float | None = None) -> None:
        """Give back what is held. It is waited for so many seconds; what takes longer goes on."""
        standing, self._standing = self._standing, None
        self._received = 0
        if standing:
            # Not cancelled with the call that found it late.
            giving = self._connection.start(self._settling.finish(standing, standing.inbox))
            await asyncio.wait([giving], timeout=within)

    async def aclose(self) -> None:
        """For good."""
        self._closed = True
        await self.close()

    async def _open(self, hidden_for: float | None) -> None:
        try:
            visibility = wire.seconds((await self._queue.info()).spec["visibilityTimeout"])
            if (visibility if hidden_for is None else hidden_for) < HIDDEN:
                self._counted_from = self._now() + REST
                return
            standing = Standing(
                frames.Receive(
                    0, self._queue.name, self._limit, False, None, frames.milliseconds_or_none(hidden_for), None, None
                ),
                self._queue,
            )
            async with self._connection.links.attempt(self._queue.name, self._connection.timeout) as link:
                standing.open(link)
        except QuintetError:
            self._counted_from = self._now() + REST
            return
        finally:
            self._opens = False
            self._received = 0
        if self._closed:
            self._settling.finish_later(standing, standing.inbox)
            return
        self._standing = standing
        self._called_at = self._now()
        self._look_later(standing)

    def _look_later(self, standing: Standing) -> None:
        asyncio.get_running_loop().call_later(HELD, self._look, standing)

    def _look(self, standing: Standing) -> None:
        """Give back what nobody asks for."""
        if standing is not self._standing:
            return
        if self._is_late(standing, self._now() + HELD):
            self._connection.start(self.close())
        else:
            self._look_later(standing)

    def _is_late(self, standing: Standing, now: float) -> bool:
        """Whether calls, or what is held, are older than twice HELD; or the queue has another owner."""
        oldest = standing.inbox[0][0] if standing.inbox else now
        if not self._calls:
            oldest = min(oldest, self._called_at)
        owner = self._connection.links.to_owner(self._queue.name)
        return oldest < now - 2 * HELD or (owner is not None and owner is not standing.link)

    def _fitting(self, speed: float) -> int:
        """As many as are read in a moment, and enough for a call."""
        return max(self._limit, in_a_moment(speed))

    def _left(self, ends_at: float) -> float:
        return max(0.0, ends_at - self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _is_plain(message: Message) -> bool:
    """What comes in order is none: once a message is released, those behind it are not to be handed out before it."""
    delivery = message._delivery
    return isinstance(delivery, Run) and delivery.first_sequence is None
