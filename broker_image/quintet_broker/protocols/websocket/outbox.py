"""Outbox: what a client is still to be told."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

AT_ONCE = 16 * 1024
"""Bytes that do not fill a socket, so that their writer need not wait."""
ROOM = 256 * 1024
"""Bytes. Who has more to tell waits; one frame may be larger."""


class Outbox:
    """Frames in their order, written by one task alone.

    All who wait for room in aiohttp's socket are cancelled where one of them is. Here each waits for itself: what is
    cancelled before it was taken is not told, what was taken is told unless the client goes.
    """

    def __init__(
        self,
        write: Callable[[bytes], Awaitable[None]],
        write_together: Callable[[Sequence[bytes]], None],
        unread: Callable[[], int],
    ) -> None:
        """`write` waits for the client where it reads slowly; `unread` tells how many bytes were written that it has
        not read."""
        self._write = write
        self._write_together = write_together
        self._unread = unread
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

    async def put(self, frames: Sequence[bytes]) -> None:
        """Take them, each once there is room. Raises ConnectionError where the client has gone."""
        if not self._frames and not self._writes and self._unread() + sum(map(len, frames)) <= AT_ONCE:
            # There is room for them in the socket: nobody waits, and no answer is late by a turn of the loop.
            if self._gone:
                raise ConnectionResetError("The client has gone.")
            self._write_together(frames)
            return
        for frame in frames:
            await self._put(frame)

    async def _put(self, frame: bytes) -> None:
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
