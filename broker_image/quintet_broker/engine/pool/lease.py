"""Lease: keeps this broker a live member of its pool, and tells who the others are.

It is renewed by a thread of its own, so that a busy event loop loses nothing; but for a loop that stands still it is
renewed no more, so that others take over.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from quintet_broker.engine.pool.owners import Member, Owners
from quintet_broker.errors import Unavailable
from quintet_broker.store.members import Beat, Members
from quintet_broker.store.redis import boot_time

logger = logging.getLogger(__name__)

RENEWALS = 4
"""In the time of one lease."""
MARGIN = 0.2
"""Share of a lease, at its end, in which the broker does nothing any more: others may soon believe that it is gone."""
RETRY_AFTER = 0.1
"""Seconds."""
LEAST_PAUSE = 0.02
"""Seconds between two renewals, however much they are hurried."""
STOPS_WITHIN = 5.0
"""Seconds."""


class Found(Struct, frozen=True):
    """What a renewal found, or a look after the lease was ended."""

    owners: Owners
    version: int
    """Of what exists in the pool."""


class Lease:
    """Runs from `start` to `stop`; its callbacks run in the event loop that started it.

    From `leave` on it holds the lease only as long as no other broker is there to take over, and tells who is.
    """

    def __init__(
        self, members: Callable[[], Members], me: Member, seconds: float, on_found: Callable[[Found], None]
    ) -> None:
        self.me = me
        self._members = members
        self._seconds = seconds
        self._on_found = on_found
        self._ends = 0.0
        """By CLOCK_BOOTTIME."""
        self._generation = 0
        """The highest that was heard of."""
        self._seen_at = 0.0
        """When the event loop was last seen to turn, by time.monotonic."""
        self._leaving = False
        self._left = asyncio.Event()
        """Whether what was found when it left is told, or nothing is any more."""
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="lease", daemon=True)

    @property
    def holds(self) -> bool:
        """Whether others surely take this broker for a live one."""
        return boot_time() < self._ends - MARGIN * self._seconds

    def start(self) -> asyncio.Future[None]:
        """What fails if the lease cannot be renewed any more: with NameInUse if another has the name."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._see()
        self._thread.start()
        return self._ended

    def hurry(self, generation: int = 0) -> None:
        """Renew, or look, now: somebody told of that generation, or of a change."""
        self._generation = max(self._generation, generation)
        self._in_thread(lambda: self._soon.set())

    async def leave(self) -> None:
        """End the lease as soon as others are there, so that they take over at once.

        Returns once it was told who they are, or that there is none.
        """
        self._leaving = True
        self.hurry()
        await self._left.wait()

    async def stop(self) -> None:
        """End the lease; nothing is told any more."""
        self._stopping = True
        self.hurry()
        await asyncio.to_thread(self._thread.join, STOPS_WITHIN)

    def _in_thread(self, call: Callable[[], None]) -> None:
        if self._thread.is_alive() and hasattr(self, "_own_loop"):
            self._own_loop.call_soon_threadsafe(call)

    # In the thread

    def _work(self) -> None:
        asyncio.run(self._renew())

    async def _renew(self) -> None:
        self._soon = asyncio.Event()
        self._own_loop = asyncio.get_running_loop()
        members: Members | None = None
        try:
            members = self._members()
            while not self._stopping:
                pause = self._seconds / RENEWALS
                self._loop.call_soon_threadsafe(self._see)
                if time.monotonic() - self._seen_at < self._seconds:
                    pause = await self._beat(members, pause)
                await self._pause(pause)
            await members.leave(self.me.name, self.me.incarnation, stays_alone=False)
        except Unavailable as error:
            logger.info("the lease could not be ended: %s", error)
        except Exception as error:
            # Without a lease the broker serves nobody: it ends, and is started again.
            with contextlib.suppress(RuntimeError):
                # Unless its loop has ended already.
                self._loop.call_soon_threadsafe(self._end, error)
        finally:
            if members:
                await members.close()

    async def _beat(self, members: Members, pause: float) -> float:
        """Renew or leave once; the seconds until the next time."""
        leaving = self._leaving
        try:
            beat = await (self._leave(members) if leaving else self._hold(members))
        except Unavailable as error:
            logger.info("the lease could not be renewed or ended: %s", error)
            return RETRY_AFTER
        self._generation = max(self._generation, beat.generation)
        self._loop.call_soon_threadsafe(self._tell, _found(beat), leaving)
        return pause

    async def _hold(self, members: Members) -> Beat:
        sent = boot_time()
        told = msgspec.json.encode({"peer": self.me.peer, "http": self.me.http})
        beat = await members.beat(
            self.me.name, self.me.incarnation, round(self._seconds * 1000), told, self._generation
        )
        self._ends = sent + self._seconds
        return beat

    async def _leave(self, members: Members) -> Beat:
        beat = await members.leave(self.me.name, self.me.incarnation, stays_alone=True)
        mine = beat.members.get(self.me.name)
        return await self._hold(members) if mine and mine[0] == self.me.incarnation else beat

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(LEAST_PAUSE)
        try:
            async with asyncio.timeout(seconds - LEAST_PAUSE):
                await self._soon.wait()
        except TimeoutError:
            return
        self._soon.clear()

    # In the event loop

    def _see(self) -> None:
        self._seen_at = time.monotonic()

    def _tell(self, found: Found, leaving: bool) -> None:
        if not self._stopping:
            self._on_found(found)
        if leaving:
            self._left.set()

    def _end(self, error: Exception) -> None:
        self._left.set()
        if not self._ended.done():
            self._ended.set_exception(error)


def _found(beat: Beat) -> Found:
    members = tuple(
        Member(name, incarnation, **msgspec.json.decode(told, type=dict[str, str]))
        for name, (incarnation, told) in sorted(beat.members.items())
    )
    return Found(Owners(beat.generation, members), beat.version)
