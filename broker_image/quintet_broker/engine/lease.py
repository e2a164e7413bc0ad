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

from quintet_broker.engine.owners import Member, Owners
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
    """What a renewal found."""

    owners: Owners
    version: int
    """Of what exists in the pool."""


class Lease:
    """Runs from `start` to `leave` or `stop`; its callbacks run in the event loop that started it."""

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
        """Renew now: somebody told of that generation, or of a change."""
        self._generation = max(self._generation, generation)
        self._in_thread(lambda: self._soon.set())

    async def leave(self) -> None:
        """End the lease, so that others take over at once; nothing is renewed any more."""
        self._leaving = True
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
            while not self._leaving:
                pause = self._seconds / RENEWALS
                self._loop.call_soon_threadsafe(self._see)
                if time.monotonic() - self._seen_at < self._seconds:
                    pause = await self._beat(members, pause)
                await self._pause(pause)
            await members.leave(self.me.name, self.me.incarnation)
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
        """Renew once; the seconds until the next time."""
        sent = boot_time()
        told = msgspec.json.encode({"peer": self.me.peer, "http": self.me.http})
        try:
            beat = await members.beat(
                self.me.name, self.me.incarnation, round(self._seconds * 1000), told, self._generation
            )
        except Unavailable as error:
            logger.info("the lease could not be renewed: %s", error)
            return RETRY_AFTER
        self._ends = sent + self._seconds
        self._generation = max(self._generation, beat.generation)
        self._loop.call_soon_threadsafe(self._tell, _found(beat))
        return pause

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

    def _tell(self, found: Found) -> None:
        if not self._leaving:
            self._on_found(found)

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)


def _found(beat: Beat) -> Found:
    members = tuple(
        Member(name, incarnation, **msgspec.json.decode(told, type=dict[str, str]))
        for name, (incarnation, told) in sorted(beat.members.items())
    )
    return Found(Owners(beat.generation, members), beat.version)
