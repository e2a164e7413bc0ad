"""Receiver: a queue's messages as an asynchronous iterator, delivered some way ahead."""

import asyncio
import contextlib
import math
import secrets
import weakref
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from quintet import frames, wire
from quintet.connection import Connection
from quintet.errors import RETRIED, ClientClosed, Unavailable
from quintet.message import Message
from quintet.receive import Inbox, Receive
from quintet.retry import ATTEMPT, pauses
from quintet.window import Window, in_a_moment

if TYPE_CHECKING:
    from quintet.queue import Queue
    from quintet.settling import Settling

FIRST_WINDOW = 10
"""Messages, while it is not known how fast they are read."""
AHEAD = 100
"""Messages that are held, at most, unless more are read in a moment."""
SHARE = 0.5
"""Of the visibility timeout, in which all that is held at once should have been read."""
WORTH_READING = 0.8
"""Of the visibility timeout; what came longer ago is not handed out, as there would be no time for it."""
WELL = 2 * ATTEMPT
"""Seconds without a failure, after which the next one has nothing to do with the last."""
IDLE = 1.0
"""Seconds in which nobody read, after which nothing more is to come: others may have it."""


class Receiver(AsyncIterator[Message]):
    """Hands out message by message; several tasks may read from one.

    It grants the broker credit for as many messages as were read in half a visibility timeout lately, at most `ahead`
    or, without it, 100 or what is read in a moment: so many are held here or on their way. What is held and not handed
    out is released on `aclose`, when the iterator is dropped, and when the client closes; then, where the queue's
    consumers are not Shared, another consumer may become active once what was handed out is settled. Raises what
    `Queue.receive_batch` raises, after which it can be read on.
    """

    def __init__(
        self,
        queue: "Queue",
        connection: Connection,
        settling: "Settling",
        visibility_timeout: float | None,
        wait: float | None,
        ahead: int | None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> None:
        self._queue = queue
        self._connection = connection
        self._settling = settling
        self._wait = wait
        self._ahead = ahead
        self._selector = selector
        self._consumer = consumer or f"receiver-{secrets.token_hex(8)}"
        self._takes_turns = False
        """Whether the broker is to be told when this consumer is done."""
        self._begun = False
        self._visibility_timeout = visibility_timeout
        self._hidden_for = visibility_timeout
        """Seconds for which what is delivered stays hidden from others."""
        self._loop = asyncio.get_running_loop()
        self._waits = False
        """Whether one of the readers waits for what the broker says."""
        self._behind: deque[asyncio.Future[None]] = deque()
        """Readers that wait for messages which that one hears of, or for its place."""
        self._called = 0
        """Of them, those who were told to look and did not yet."""
        self._inbox: Inbox = deque()
        self._receive: Receive | None = None
        self._window = Window(min(FIRST_WINDOW, ahead or AHEAD))
        self._read_at = self._loop.time()
        self._closed = False

    def __aiter__(self) -> "Receiver":
        return self

    async def __anext__(self) -> Message:
        self._refill()
        found = self._pop()
        while found is None:
            if self._waits:
                found = await self._wait_behind()
            else:
                self._waits = True
                try:
                    found = await self._next()
                finally:
                    self._waits = False
                    self._call()
        self._window.count(1)
        return found

    async def _wait_behind(self) -> Message | None:
        """What may be there once the one in front has heard of something, or has gone."""
        turn = self._loop.create_future()
        self._behind.append(turn)
        try:
            await turn
            found = self._pop()
        finally:
            if turn.cancelled():
                with contextlib.suppress(ValueError):
                    self._behind.remove(turn)
            else:
                self._called -= 1
                self._call()
        return found

    def _call(self) -> None:
        """Let as many look as there are messages, one at least so that somebody is in front."""
        if self._waits or self._called:
            return
        wanted = max(1, len(self._inbox))
        while self._behind and self._called < wanted:
            turn = self._behind.popleft()
            if not turn.done():
                turn.set_result(None)
                self._called += 1

    async def aclose(self) -> None:
        """End it; what was not handed out is released."""
        self._closed = True
        if self._receive:
            self._receive.poke()
        await self._settling.finish(self._receive, self._inbox, self._done)

    def __del__(self) -> None:
        is_open = self._takes_turns and not self._closed
        if (self._inbox or self._receive or is_open) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settling.finish_later, self._receive, self._inbox, self._done)

    @property
    def _done(self) -> str | None:
        """The name of the consumer that is done."""
        return self._consumer if self._takes_turns else None

    def _pop(self) -> Message | None:
        """The first that is held; what is worth no reading any more is released."""
        if not self._inbox:
            return None
        self._read_at = self._loop.time()
        came_after = self._read_at - WORTH_READING * (self._hidden_for or math.inf)
        if self._inbox[0][0] < came_after:
            stale: Inbox = deque()
            while self._inbox and self._inbox[0][0] < came_after:
                stale.append(self._inbox.popleft())
            self._settling.finish_later(None, stale)
        return self._inbox.popleft()[1] if self._inbox else None

    async def _next(self) -> Message:
        """The first that is held or comes. Raises StopAsyncIteration, QuintetError."""
        gives_up_at = failed_at = -math.inf
        pause = pauses()
        while True:
            if found := self._pop():
                return found
            if self._closed:
                raise StopAsyncIteration
            try:
                await self._wait_for_news()
            except ClientClosed:
                if not self._closed:
                    raise
            except RETRIED:
                now = self._loop.time()
                if now - failed_at > WELL:
                    gives_up_at, pause = now + self._connection.timeout, pauses()
                if now >= gives_up_at:
                    raise
                failed_at = now
                await asyncio.sleep(min(next(pause), gives_up_at - now))

    async def _wait_for_news(self) -> None:
        """Until there may be something to read. Raises StopAsyncIteration, QuintetError."""
        receive = self._receive
        if receive is None:
            await self._open()
        elif not receive.over:
            self._follow(receive)
            self._refill()
            try:
                await receive.news()
            except asyncio.CancelledError:
                # Perhaps nobody will read again: what comes is for others.
                receive.cancel()
                raise
        else:
            self._receive = None
            if receive.cancelled:
                return
            if receive.error:
                raise receive.error
            if self._wait is None:
                raise Unavailable("The broker ended a receive that was to go on.")
            # Nothing came for as long as it was to wait.
            raise StopAsyncIteration

    async def _open(self) -> None:
        """Raises QuintetError."""
        if not self._begun:
            await self._begin()
        self._window.pace(self._fitting)
        asked = frames.Receive(
            0,
            self._queue.name,
            self._window.size,
            False,
            frames.milliseconds_or_none(self._wait),
            frames.milliseconds_or_none(self._visibility_timeout),
            self._selector,
            self._consumer,
        )
        receive = Receive(asked, self._queue, self._inbox)
        async with self._connection.links.attempt(self._queue.name, self._connection.timeout) as link:
            receive.open(link)
            self._receive = receive
        if self._closed:
            self._settling.finish_later(receive, self._inbox, self._done)
        self._look_later()

    async def _begin(self) -> None:
        """Learn what the queue is. Raises QuintetError."""
        spec = (await self._queue.info()).spec
        if self._hidden_for is None:
            self._hidden_for = wire.seconds(spec["visibilityTimeout"])
        self._takes_turns = spec["consumers"] != "Shared"
        self._begun = True

    # Credit

    def _refill(self) -> None:
        receive = self._receive
        if receive and self._window.wants_more(receive):
            self._follow(receive)
            self._window.fill(receive, self._fitting)

    def _fitting(self, speed: float) -> int:
        """As many as can be read in time, where so many are read in a second."""
        most = self._ahead or max(AHEAD, in_a_moment(speed))
        in_time = int(SHARE * self._hidden_for * speed) if self._hidden_for else FIRST_WINDOW
        return max(1, min(most, in_time))

    def _follow(self, receive: Receive) -> None:
        """End a receive where the queue's owner is reached by another link: the next one goes there."""
        owner = self._connection.links.to_owner(self._queue.name)
        if owner and owner is not receive.link:
            receive.cancel()

    def _look(self) -> None:
        """Let nothing more come where nobody reads."""
        receive = self._receive
        if receive is None or receive.over or receive.cancelled:
            return
        if self._waits or self._loop.time() < self._read_at + IDLE:
            self._look_later()
        else:
            receive.cancel()

    def _look_later(self) -> None:
        self._loop.call_later(IDLE, _look, weakref.ref(self))


def _look(receiver: "weakref.ref[Receiver]") -> None:
    # Nothing that keeps a receiver which was dropped.
    if found := receiver():
        found._look()
