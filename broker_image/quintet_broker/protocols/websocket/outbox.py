"""Outbox: what a client is still to be told."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

AT_ONCE = 16 * 1024
"""Bytes of a frame that does not fill an empty socket, so that its writer need not wait."""
ROOM = 256 * 1024
"""Bytes. Who has more to tell waits; one frame may be larger."""


class Outbox:
    """Frames in their order, written by one task alone.

    All who wait for room in aiohttp's socket are cancelled where one of them is. Here each waits for itself: what is
    cancelled before it was taken is not told, what was taken is told unless the client goes.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]], is_clear: Callable[[], bool]) -> None:
        """`is_clear` tells whether nothing that was written waits for the client to read."""
        self._write = write
        self._is_clear = is_clear
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._filled = asyncio.Event()
        self._written = asyncio.Event()
        self._gone = False
        self._writes = False
        """Whether the task is just writing one."""
        self._writing = asyncio.create_task(self._run())

    async def put(self, frame: bytes) -> None:
        """Take it, once there is room. Raises ConnectionError where the client has gone."""
        if len(frame) <= AT_ONCE and not self._frames and not self._writes and self._is_clear():
            # There is room for it in the socket: nobody waits, and a lone answer is not late by a turn of the loop.
            if self._gone:
                raise ConnectionResetError("The client has gone.")
            await self._write(frame)
            return
        self._waiting += len(frame)
        try:
            async with self._turn:
                while self._bytes > ROOM and not self._gone:
                    await self._next_written()
                if self._gone:
                    raise ConnectionResetError("The client has gone.")
                self._frames.append(frame)
                self._bytes += len(frame)
                self._filled.set()
        finally:
            self._waiting -= len(frame)

    def kept(self) -> int:
        """Bytes of all frames, of those too for which there is no room yet."""
        return self._bytes + self._waiting

    async def written(self) -> None:
        """Until all is, or the client has gone."""
        while self._bytes and not self._gone:
            await self._next_written()

    def close(self) -> None:
        """Write no more."""
        self._writing.cancel()

    async def _next_written(self) -> None:
        self._written.clear()
        await self._written.wait()

    async def _run(self) -> None:
        try:
            while True:
                while self._frames:
                    frame = self._frames.popleft()
                    self._writes = True
                    await self._write(frame)
                    self._writes = False
                    self._bytes -= len(frame)
                    self._written.set()
                self._filled.clear()
                await self._filled.wait()
        except ConnectionError:
            # Whoever has more to tell hears of it.
            return
        finally:
            self._gone = True
            self._written.set()
