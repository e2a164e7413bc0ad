"""Outbox: what a link has still to say."""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import aiohttp


class Outbox:
    """Frames in their order, written by one task alone.

    All who wait for room in aiohttp's socket are cancelled where one of them is, so nobody else waits there. What is
    unsaid is bounded by those who wait for its answers: whoever goes takes it back.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]], broken: Callable[[], None]) -> None:
        """`broken` is told where nothing can be written any more."""
        self._write = write
        self._broken = broken
        self._places = itertools.count()
        self._frames: OrderedDict[int, bytes] = OrderedDict()
        self._filled = asyncio.Event()
        self._writing = asyncio.create_task(self._run())

    def put(self, frame: bytes) -> int:
        """Say it after all others; its place."""
        place = next(self._places)
        self._frames[place] = frame
        self._filled.set()
        return place

    def take_back(self, place: int) -> None:
        """What was not said yet is not said."""
        self._frames.pop(place, None)

    def close(self) -> None:
        """Say nothing more."""
        self._writing.cancel()
        self._frames.clear()

    async def _run(self) -> None:
        try:
            while True:
                while self._frames:
                    _, frame = self._frames.popitem(last=False)
                    await self._write(frame)
                self._filled.clear()
                await self._filled.wait()
        except (aiohttp.ClientError, OSError):
            self._broken()
