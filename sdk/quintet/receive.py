"""Receive: one receive at a broker, and what it delivered."""

import asyncio
from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING

from quintet import frames
from quintet.errors import QuintetError
from quintet.message import Message

if TYPE_CHECKING:
    from quintet.link import Link
    from quintet.queue import Queue

Inbox = deque[tuple[float, Message]]
"""Messages that were not handed out, each with the loop's time at which it came."""


class Receive:
    """Open from `open` until it is over. Its link reads into it; it never holds more than it had credit for."""

    def __init__(self, asked: frames.Receive, queue: "Queue", inbox: Inbox | None = None) -> None:
        self.credit = asked.credit
        """Messages that may still come."""
        self.inbox: Inbox = deque() if inbox is None else inbox
        self.over = False
        self.error: QuintetError | None = None
        """Why it is over, unless it was cancelled or nothing came in its time."""
        self.cancelled = False
        self.link: Link | None = None
        self._asked = asked
        self._queue = queue
        self._news = asyncio.Event()

    def open(self, link: "Link") -> None:
        """Raises ConnectionLost, MessageTooLarge."""
        link.receive(self._asked, self)
        self.link = link

    def grant(self, credit: int) -> None:
        """Let so many messages more come."""
        self.credit += credit
        assert self.link
        self.link.say(frames.Credit(self._asked.id, credit))

    def cancel(self) -> None:
        """Let it end; what the broker has sent by then still comes."""
        if not (self.cancelled or self.over) and self.link:
            self.cancelled = True
            self.link.say(frames.Cancel(self._asked.id))

    async def news(self) -> None:
        """Until something came, or it is over, or something changed."""
        self._news.clear()
        await self._news.wait()

    async def ended(self) -> None:
        """Until it is over."""
        while not self.over:
            await self.news()

    # What its link tells

    def deliver(self, frame: frames.Deliver | frames.DeliverBatches) -> None:
        now = asyncio.get_running_loop().time()
        messages = frame.of(self._queue)
        self.credit -= len(messages)
        self.inbox.extend(zip(repeat(now), messages))
        self.over = not frame.open
        self._news.set()

    def end(self, error: QuintetError) -> None:
        self.over = True
        self.error = error
        self._news.set()

    def poke(self) -> None:
        self._news.set()
