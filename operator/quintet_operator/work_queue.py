"""The one queue of what is to be reconciled: keys, each once, and never two runs of one key at a time."""

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")

FIRST_BACKOFF = 0.2
"""Seconds until a key is tried again that failed once; twice as long each time that it fails in a row."""
LONGEST_BACKOFF = 60.0
"""Seconds."""

logger = logging.getLogger(__name__)


class Schedule(Generic[Key]):
    """Which key is next. Pure: `now` is an argument, in seconds."""

    def __init__(self) -> None:
        self._waiting: dict[Key, None] = {}
        """Due now, in order of arrival."""
        self._running: set[Key] = set()
        self._again: dict[Key, None] = {}
        """Added while they ran."""
        self._later: dict[Key, float] = {}
        """When a key is due; the earliest time holds."""
        self._times: list[tuple[float, int, Key]] = []
        """A heap of what is in `_later`, and of what was."""
        self._counter = itertools.count()
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        """Keys that are due or run."""
        return len(self._waiting) + len(self._running)

    def add(self, key: Key) -> None:
        """Run it as soon as may be, once more if it runs now."""
        (self._again if key in self._running else self._waiting)[key] = None

    def add_at(self, key: Key, when: float) -> None:
        if when < self._later.get(key, float("inf")):
            self._later[key] = when
            heapq.heappush(self._times, (when, next(self._counter), key))

    def take(self, now: float) -> Key | None:
        """The next key, which runs until `done`."""
        self._ripen(now)
        if not self._waiting:
            return None
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._running.add(key)
        return key

    def done(self, key: Key, now: float, *, failed: bool) -> None:
        self._running.remove(key)
        if key in self._again:
            del self._again[key]
            self.add(key)
        if failed:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            self.add_at(key, now + backoff(failures))
        else:
            self._failures.pop(key, None)

    def next_due(self) -> float | None:
        """When a key ripens that waits for its time."""
        while self._times and self._later.get(self._times[0][2]) != self._times[0][0]:
            heapq.heappop(self._times)
        return self._times[0][0] if self._times else None

    def _ripen(self, now: float) -> None:
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._times)[2]
            del self._later[key]
            self.add(key)


def backoff(failures: int) -> float:
    """Seconds, after so many failures in a row, 1 or more."""
    return float(min(FIRST_BACKOFF * 2 ** min(failures - 1, 30), LONGEST_BACKOFF))


class TryAgain(Exception):
    """What was to be done cannot be done now, and nobody here is to blame."""


class WorkQueue(Generic[Key]):
    """Keys, and workers that run something for each. What that raises is logged, and the key tried again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._schedule: Schedule[Key] = Schedule()
        self._wakeup = asyncio.Event()

    def __len__(self) -> int:
        return len(self._schedule)

    def add(self, key: Key) -> None:
        """From within the event loop."""
        self._schedule.add(key)
        self._wakeup.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Once, at the earliest time that was asked for."""
        self._schedule.add_at(key, self._clock() + seconds)
        self._wakeup.set()

    async def run(
        self, work: Callable[[Key], Awaitable[None]], workers: int, fatal: type[Exception] | tuple[()] = ()
    ) -> None:
        """Until cancelled; then what runs is cancelled too. Raises what is `fatal`, in an ExceptionGroup."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._run(work, fatal))

    async def _run(self, work: Callable[[Key], Awaitable[None]], fatal: type[Exception] | tuple[()]) -> None:
        while True:
            key = self._schedule.take(self._clock())
            if key is None:
                await self._wait()
                continue
            failed = True
            try:
                await work(key)
                failed = False
            except fatal:
                raise
            except TryAgain as error:
                logger.info("%s waits: %s", key, error)
            except Exception:
                logger.exception("%s failed, and is tried again", key)
            finally:
                self._schedule.done(key, self._clock(), failed=failed)
                self._wakeup.set()

    async def _wait(self) -> None:
        """Until a key may be there."""
        self._wakeup.clear()
        due = self._schedule.next_due()
        timeout = None if due is None else max(due - self._clock(), 0)
        try:
            async with asyncio.timeout(timeout):
                await self._wakeup.wait()
        except TimeoutError:
            pass
