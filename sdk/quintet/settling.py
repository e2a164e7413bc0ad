"""Settling: what becomes of a queue's delivered messages, the receipts of many callers in one request."""

import contextlib
from collections.abc import Sequence
from typing import TypeVar

from quintet import wire
from quintet.coalescer import Coalescer
from quintet.connection import Connection
from quintet.errors import QuintetError

Item = TypeVar("Item", str, wire.Extension)

RELEASE_WITHIN = 2.0
"""Seconds, where nobody waits for it."""


class Settling:
    """The verbs of one queue, whose path this is. They raise QuintetError."""

    def __init__(self, connection: Connection, path: str) -> None:
        self._connection = connection
        self._acknowledges = connection.coalescer(wire.receipts, f"{path}/messages:acknowledge", wire.results)
        self._releases = connection.coalescer(wire.receipts, f"{path}/messages:release", wire.results)
        self._unread = connection.coalescer(wire.unread, f"{path}/messages:release", wire.results)
        self._extends = connection.coalescer(wire.extensions, f"{path}/messages:extend", wire.results)

    async def acknowledge(self, receipt: str) -> None:
        await self._settle(self._acknowledges, receipt)

    async def release(self, receipt: str) -> None:
        await self._settle(self._releases, receipt)

    async def extend(self, receipt: str, seconds: float) -> None:
        await self._settle(self._extends, wire.Extension(receipt, wire.duration(seconds)))

    async def release_unread(self, receipts: Sequence[str]) -> None:
        """Release what was not handed out, so that its delivery does not count.

        If it fails, it is visible after its visibility timeout.
        """
        if receipts:
            with contextlib.suppress(QuintetError):
                await self._unread.ask(receipts, len(receipts) * wire.RECEIPT_BYTES, RELEASE_WITHIN)

    def release_unread_later(self, receipts: Sequence[str]) -> None:
        """The same, while the caller goes on."""
        self._connection.start(self.release_unread(receipts))

    async def _settle(self, verb: Coalescer[Item, wire.Problem | None], item: Item) -> None:
        [problem] = await verb.ask([item], wire.RECEIPT_BYTES, self._connection.timeout)
        if problem:
            raise problem.error()
