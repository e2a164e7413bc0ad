"""Receiver: a queue's messages as an asynchronous iterator, fetched some way ahead."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from quintet import wire
from quintet.errors import ClientClosed, TooManyInFlight
from quintet.message import Message

if TYPE_CHECKING:
    from quintet.queue import Queue
    from quintet.settling import Settling

LONGEST_POLL = 20.0
"""Seconds."""
FIRST_FETCH = 10
"""Messages, while it is not known how fast they are read."""
SHARE = 0.5
"""Of the visibility timeout, in which all that is fetched at once should have been read."""
WORTH_READING = 0.8
"""Of the visibility timeout; what was fetched longer ago is not handed out, as there would be no time for it."""


class Receiver(AsyncIterator[Message]):
    """Long polls, and hands out message by message; several tasks may read from one.

    It fetches as many messages as were read in half a visibility timeout lately, at most `ahead`. What is fetched
    and not handed out is released on `aclose`, when the iterator is dropped, and when the client closes. Raises what
    `Queue.receive_batch` raises, after which it can be read on.
    """

    def __init__(
        self, queue: "Queue", settling: "Settling", visibility_timeout: float | None, wait: float | None, ahead: int
    ) -> None:
        self._queue = queue
        self._settling = settling
        self._visibility_timeout = visibility_timeout
        self._wait = wait
        self._ahead = ahead
        self._loop = asyncio.get_running_loop()
        self._fetching = asyncio.Lock()
        self._fetched: deque[Message] = deque()
        self._hidden_for = visibility_timeout
        """Seconds for which what is fetched stays hidden from others."""
        self._fetched_at = 0.0
        self._fetched_count = 0
        self._limit = min(FIRST_FETCH, ahead)
        self._closed = False

    def __aiter__(self) -> "Receiver":
        return self

    async def __anext__(self) -> Message:
        if not self._fetched or self._is_stale:
            async with self._fetching:
                await self._fetch()
        return self._fetched.popleft()

    async def aclose(self) -> None:
        """End it; what was not handed out is released."""
        self._closed = True
        await self._settling.release_unread(self._take_back())

    def __del__(self) -> None:
        if self._fetched and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settling.release_unread_later, self._take_back())

    @property
    def _is_stale(self) -> bool:
        return self._loop.time() - self._fetched_at > WORTH_READING * (self._hidden_for or math.inf)

    def _take_back(self) -> list[str]:
        held = [message.receipt for message in self._fetched]
        self._fetched.clear()
        return held

    def _paced(self, hidden_for: float) -> int:
        """How many messages to fetch, seeing how fast the last ones were read."""
        read = self._fetched_count - len(self._fetched)
        took = self._loop.time() - self._fetched_at
        if not read or not hidden_for:
            return self._limit
        return max(1, min(self._ahead, int(SHARE * hidden_for * read / max(took, 0.001))))

    async def _fetch(self) -> None:
        """Until there is something to hand out. Raises StopAsyncIteration."""
        if self._hidden_for is None:
            self._hidden_for = wire.seconds((await self._queue.info()).spec["visibilityTimeout"])
        ends_at = math.inf if self._wait is None else self._loop.time() + self._wait
        left = LONGEST_POLL if self._wait is None else self._wait
        while (not self._fetched or self._is_stale) and not self._closed:
            if left < 0:
                raise StopAsyncIteration
            self._limit = self._paced(self._hidden_for)
            await self._settling.release_unread(self._take_back())
            self._fetched.extend(await self._poll(min(left, LONGEST_POLL)))
            self._fetched_at = self._loop.time()
            self._fetched_count = len(self._fetched)
            left = ends_at - self._fetched_at
        if self._closed:
            await self.aclose()
            raise StopAsyncIteration

    async def _poll(self, wait: float) -> list[Message]:
        try:
            return await self._queue.receive_batch(self._limit, wait=wait, visibility_timeout=self._visibility_timeout)
        except TooManyInFlight:
            return []
        except ClientClosed:
            if self._closed:
                return []
            raise
