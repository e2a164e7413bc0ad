"""Outbox: what a link has still to say."""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any

import aiohttp

Writing = Coroutine[Any, Any, None]


class Outbox:
    """Frames in their order. Each is written at once where the socket takes it; behind one that has to wait for room,
    the others wait here.

    All who wait for room in aiohttp's socket are cancelled where one of them is, so one task alone waits there. What is
    unsaid is bounded by those who wait for its answers: whoever goes takes it back.
    """

    def __init__(self, write: Callable[[bytes], Writing], broken: Callable[[], None]) -> None:
        """`broken` is told where nothing can be written any more."""
        self._write = write
        self._broken = broken
        self._places = itertools.count()
        self._frames: OrderedDict[int, bytes] = OrderedDict()
        self._waiting: asyncio.Task[None] | None = None
        """For room."""

    def put(self, frame: bytes) -> int:
        """Say it after all others; its place."""
        place = next(self._places)
        if self._waiting:
            self._frames[place] = frame
            return place
        writing = self._write(frame)
        try:
            pending = writing.send(None)
        except StopIteration:
            pass
        except (aiohttp.ClientError, OSError):
            self._broken()
        else:
            self._waiting = asyncio.create_task(self._run(_rest(writing, pending)))
        return place

    def take_back(self, place: int) -> None:
        """What was not said yet is not said."""
        self._frames.pop(place, None)

    def close(self) -> None:
        """Say nothing more."""
        if self._waiting:
            self._waiting.cancel()
        self._frames.clear()

    async def _run(self, first: Awaitable[None]) -> None:
        try:
            await first
            while self._frames:
                _, frame = self._frames.popitem(last=False)
                await self._write(frame)
        except (aiohttp.ClientError, OSError):
            self._broken()
        finally:
            self._waiting = None


@coroutine
def _rest(begun: Writing, pending: Any) -> Generator[Any, Any, None]:
    """The rest of a coroutine that was begun outside of a task, and waits."""
    yield pending
    yield from begun
