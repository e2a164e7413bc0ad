"""Heartbeat: keeps what a consumer holds hidden from others, for as long as it holds it."""

import asyncio
import logging
from collections.abc import Collection

from quintet.errors import QuintetError, ReceiptInvalid, ReceiptStale
from quintet.message import Message

BEATS = 3
"""Within a visibility timeout: two may come late before a message is delivered to somebody else."""

logger = logging.getLogger("quintet.worker")


class Held:
    """A message that a consumer got and has not settled."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.handling: asyncio.Task[None] | None = None
        self.lost = False
        """Delivered to somebody else meanwhile."""
        self.beating = True
        """Whether it is to stay hidden for as long as it is held."""
        self._beat: asyncio.Task[None] | None = None

    @property
    def error(self) -> BaseException | None:
        """Of its handler, which has ended."""
        assert self.handling
        return asyncio.CancelledError() if self.handling.cancelled() else self.handling.exception()

    def cancel(self) -> None:
        """Let its handler end."""
        if self.handling:
            self.handling.cancel()

    def beat(self, seconds: float) -> "asyncio.Task[None]":
        """Hide it for so many seconds from now on."""
        self._beat = asyncio.create_task(self._extend(seconds))
        return self._beat

    async def still(self) -> None:
        """Until no beat comes any more that would undo how it is settled."""
        self.beating = False
        if self._beat:
            await asyncio.wait([self._beat])

    async def _extend(self, seconds: float) -> None:
        try:
            await self.message.extend(seconds)
        except (ReceiptStale, ReceiptInvalid):
            self.beating = False
            self.lost = True
            self.cancel()
        except QuintetError as error:
            logger.warning("%s: message %s may be lost: %s", self.message.queue.name, self.message.id, error)


async def beat(held: Collection[Held], hidden_for: float) -> None:
    """Hide all that is held again and again, for so many seconds each time; all of it goes in one request.

    A handler whose message was delivered to somebody else is cancelled.
    """
    while True:
        await asyncio.sleep(hidden_for / BEATS)
        if beats := [one.beat(hidden_for) for one in held if one.beating]:
            await asyncio.wait(beats)
