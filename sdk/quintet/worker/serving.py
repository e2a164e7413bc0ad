"""Serving: a worker's consumers while they run, and how they end in order."""

import asyncio
import contextlib
from collections.abc import Sequence

from quintet.worker.consumer import Consumer

CANCELLED_WITHIN = 5.0
"""Seconds for handlers that were cancelled, until the worker ends without them."""


class Serving:
    """Runs consumers until `stop`, or until one of them cannot go on."""

    def __init__(self, grace: float) -> None:
        """`grace`: seconds that handlers have to end in."""
        self.consumers: Sequence[Consumer] = ()
        self._stopping = asyncio.Event()
        self._grace = asyncio.timeout(None)
        self._seconds = grace

    def stop(self) -> None:
        """End; called again, without grace."""
        if self._stopping.is_set():
            self._seconds = 0
            self._limit()
        self._stopping.set()

    def _limit(self) -> None:
        with contextlib.suppress(RuntimeError):
            # It has not begun, or is over.
            self._grace.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def run(self, consumers: Sequence[Consumer]) -> None:
        """Cancelling it ends it without grace. Raises QuintetError, why a consumer could not go on."""
        self.consumers = consumers
        receiving = [asyncio.create_task(consumer.run()) for consumer in consumers]
        for task in receiving:
            task.add_done_callback(lambda _: self._stopping.set())
        try:
            await self._stopping.wait()
            await self._receive_no_more(receiving)
            with contextlib.suppress(TimeoutError):
                async with self._grace:
                    self._limit()
                    await self._idle()
        finally:
            await self._receive_no_more(receiving)
            await self._close()
        for task in receiving:
            if not task.cancelled():
                task.result()

    async def _receive_no_more(self, receiving: "Sequence[asyncio.Task[None]]") -> None:
        for consumer, task in zip(self.consumers, receiving, strict=True):
            consumer.stop()
            task.cancel()
        await asyncio.wait(receiving)

    async def _close(self) -> None:
        for consumer in self.consumers:
            consumer.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCELLED_WITHIN):
                await self._idle()
        await asyncio.gather(*(consumer.close() for consumer in self.consumers))

    async def _idle(self) -> None:
        """Until nothing is handled."""
        for consumer in self.consumers:
            await consumer.idle()
