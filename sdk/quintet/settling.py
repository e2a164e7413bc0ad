"""Settling: what becomes of a queue's delivered messages, those of many callers in one request."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from quintet import frames, receipts, wire
from quintet.coalescer import Coalescer, Encode, Request
from quintet.connection import Connection
from quintet.errors import NotSettled, QuintetError
from quintet.message import Content
from quintet.receipts import Held
from quintet.receive import Inbox, Receive

Verb = Coalescer[Any, frames.Problem | None]
Failed = list[tuple[Held, QuintetError]]

RELEASE_WITHIN = 2.0
"""Seconds, where nobody waits for it."""


class Settling:
    """The verbs of one queue. They raise QuintetError."""

    def __init__(self, connection: Connection, queue: str) -> None:
        self._connection = connection
        self._queue = queue
        self._path = wire.path(queue)
        self._acknowledges, self._releases, self._unread, self._extends = (connection.settles(queue) for _ in range(4))

    async def acknowledge(self, held: Held) -> None:
        receipts.check([held])
        await self._settle_one(self._acknowledges, self._acknowledge, held)

    async def acknowledge_batch(self, held: Sequence[Held]) -> None:
        """Raises NotSettled."""
        receipts.check(held)
        _raise_all(await self._settle(self._acknowledges, self._acknowledge, held))

    async def release(self, held: Held, delivered: bool) -> None:
        receipts.check([held])
        verb, encode = (self._releases, self._release) if delivered else (self._unread, self._release_unread)
        await self._settle_one(verb, encode, held)

    async def release_batch(self, held: Sequence[Held]) -> None:
        """Raises NotSettled."""
        receipts.check(held)
        _raise_all(await self._settle(self._releases, self._release, held))

    async def extend(self, held: Held, seconds: float) -> None:
        extension = (held.receipt if isinstance(held, Content) else held, frames.milliseconds(seconds))
        await self._settle_one(self._extends, self._extend, Raw(frames.item(extension)))

    async def _settle_one(self, verb: Verb, encode: Encode, item: Any) -> None:
        [problem] = await verb.ask(encode, (item,), receipts.BYTES, self._connection.timeout)
        if problem:
            raise problem.error()

    async def _settle(self, verb: Verb, encode: Encode, items: Sequence[Any]) -> Failed:
        """Those that were refused."""
        if not items:
            return []
        problems = await verb.ask(encode, items, len(items) * receipts.BYTES, self._connection.timeout)
        if not any(problems):
            return []
        return [(item, problem.error()) for item, problem in zip(items, problems, strict=True) if problem]

    # What is said

    def _acknowledge(self, held: Sequence[Held], _: int) -> Request:
        packed, results = receipts.packed(held)
        return Request(frames.Acknowledge(0, self._queue, packed), results)

    def _release(self, held: Sequence[Held], _: int) -> Request:
        packed, results = receipts.packed(held)
        return Request(frames.Release(0, self._queue, packed, True), results)

    def _release_unread(self, held: Sequence[Held], _: int) -> Request:
        packed, results = receipts.packed(held)
        return Request(frames.Release(0, self._queue, packed, False), results)

    def _extend(self, extensions: Sequence[Raw], _: int) -> Request:
        return Request(
            frames.Extend(0, self._queue, extensions), lambda settled: settled.results or [None] * len(extensions)
        )

    # Where a receiver ends

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
        unread = [message for _, message in inbox]
        inbox.clear()
        if unread:
            with contextlib.suppress(QuintetError):
                await self._unread.ask(self._release_unread, unread, len(unread) * receipts.BYTES, RELEASE_WITHIN)
        if consumer is not None:
            await self._close_consumer(consumer)

    def finish_later(self, receive: Receive | None, inbox: Inbox, consumer: str | None = None) -> None:
        """The same, while the caller goes on."""
        self._connection.start(self.finish(receive, inbox, consumer))

    async def _close_consumer(self, consumer: str) -> None:
        with contextlib.suppress(QuintetError, TimeoutError):
            async with asyncio.timeout(RELEASE_WITHIN):
                await self._connection.transport.call("DELETE", wire.consumer_path(self._path, consumer))


def _raise_all(failed: Failed) -> None:
    if failed:
        raise NotSettled(failed=failed)
