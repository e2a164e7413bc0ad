"""Settling: what becomes of a queue's delivered messages, the receipts of many callers in one request."""

import asyncio
import contextlib
from collections.abc import Sequence

from msgspec import Raw

from quintet import frames, wire
from quintet.coalescer import Coalescer
from quintet.connection import Connection
from quintet.errors import QuintetError
from quintet.receive import Inbox, Receive

Verb = Coalescer[Raw, frames.Request, frames.Problem | None]

RELEASE_WITHIN = 2.0
"""Seconds, where nobody waits for it."""


class Settling:
    """The verbs of one queue. They raise QuintetError."""

    def __init__(self, connection: Connection, queue: str) -> None:
        self._connection = connection
        self._path = wire.path(queue)
        self._acknowledges: Verb = connection.coalescer(queue, lambda held: frames.Acknowledge(0, queue, held))
        self._releases: Verb = connection.coalescer(queue, lambda held: frames.Release(0, queue, held, True))
        self._unread: Verb = connection.coalescer(queue, lambda held: frames.Release(0, queue, held, False))
        self._extends: Verb = connection.coalescer(queue, lambda asked: frames.Extend(0, queue, asked))

    async def acknowledge(self, receipt: str) -> None:
        await self._settle(self._acknowledges, receipt)

    async def release(self, receipt: str) -> None:
        await self._settle(self._releases, receipt)

    async def extend(self, receipt: str, seconds: float) -> None:
        await self._settle(self._extends, (receipt, frames.milliseconds(seconds)))

    async def finish(self, receive: Receive | None, inbox: Inbox, consumer: str | None = None) -> None:
        """End a receive, and release what it delivered and nobody read, so that its delivery does not count; then a
        consumer is done.

        What fails to be released is visible after its visibility timeout. The broker finds out that a consumer is done.
        """
        if receive and receive.link and not receive.over:
            receive.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RELEASE_WITHIN):
                    await receive.ended()
        receipts = [found.receipt for _, found in inbox]
        inbox.clear()
        await self._release_unread(receipts)
        if consumer is not None:
            await self._close_consumer(consumer)

    def finish_later(self, receive: Receive | None, inbox: Inbox, consumer: str | None = None) -> None:
        """The same, while the caller goes on."""
        self._connection.start(self.finish(receive, inbox, consumer))

    async def _close_consumer(self, consumer: str) -> None:
        with contextlib.suppress(QuintetError, TimeoutError):
            async with asyncio.timeout(RELEASE_WITHIN):
                await self._connection.transport.call("DELETE", wire.consumer_path(self._path, consumer))

    async def _release_unread(self, receipts: Sequence[str]) -> None:
        if receipts:
            with contextlib.suppress(QuintetError):
                items = [Raw(frames.item(receipt)) for receipt in receipts]
                await self._unread.ask(items, len(items) * frames.RECEIPT_BYTES, RELEASE_WITHIN)

    async def _settle(self, verb: Verb, content: object) -> None:
        [problem] = await verb.ask([Raw(frames.item(content))], frames.RECEIPT_BYTES, self._connection.timeout)
        if problem:
            raise problem.error()
