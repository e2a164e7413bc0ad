"""Ticker: runs the ticks of all shards of a broker, one pipelined write at a time.

What arrives in one turn of the event loop, for any shard, becomes one write; what arrives while it is under way
forms the next.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from quintet_broker.engine.asked.schedule import Schedule
from quintet_broker.engine.records.selector import Allowance
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.errors import NotOwner, Unavailable
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome

logger = logging.getLogger(__name__)

PATIENCE = 10_000
"""Milliseconds that a request waits for a store that does not answer."""
WRITE_SHARDS = 256
"""Shards in one write."""
CHECK_EVERY = 1.0
"""Seconds."""
TRY_AGAIN_AFTER = 0.02
"""Seconds until a shard whose slot moves is tried again."""
LEASE_LOOK_EVERY = 0.01
"""Seconds between two looks at a lease that does not hold."""
KEPT_BYTES = 32 * 1024 * 1024
"""Of what is appended and consumers have not come to yet, for all shards together; however many they are, each holds as
much as it would read (`read_ahead.py`)."""
REMEMBERED_BYTES = 1024**3
"""Of deduplication ids, where nothing else is said."""
RECONNECT_AFTER = (0.02, 0.5)
"""Seconds before the first and, at most, before later attempts."""


class Ticker:
    """The pod's loop over its shards; it owns the connection's health."""

    def __init__(
        self,
        store: Store,
        leaving: Callable[[Shard], None],
        owner: str = "",
        stale: Callable[[NotOwner], None] = lambda _: None,
        holds: Callable[[], bool] = lambda: True,
        joining: Callable[[Shard], None] = lambda _: None,
        most_remembered: int = REMEMBERED_BYTES,
    ) -> None:
        """`leaving` is told of a shard that holds records for others, `joining` of one that wants something of older
        ones of its queue; `stale` when a shard was taken by a later table of owners than ours. `holds` tells whether
        the broker's lease holds: else nothing is done. `most_remembered` is how many bytes of deduplication ids may be
        held, about."""
        self.owner = owner
        self.generation = 0
        self.waiting_bytes = 0
        self.allowance = Allowance()
        self.remembers_more = True
        self._most_remembered = most_remembered
        self._store = store
        self._leaving = leaving
        self._joining = joining
        self._stale = stale
        self._holds = holds
        self._shards: set[Shard] = set()
        self._awake: dict[Shard, None] = {}
        self._busy: set[Shard] = set()
        """Those that may hold something in memory; the others cost nothing."""
        self._timers: Schedule[Shard] = Schedule()
        self._event = asyncio.Event()
        self._turn_ends: asyncio.Future[None] | None = None
        """Where somebody waits for it."""
        self._alarm: asyncio.TimerHandle | None = None
        """Sets it when a shard has something to do."""
        self._lost = True
        self._pause = 0.0
        """Seconds before the next attempt to connect: they grow until a turn succeeds."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether the store is there."""
        return not self._lost

    @property
    def most_kept(self) -> int:
        return KEPT_BYTES // max(1, len(self._busy))

    def add(self, shard: Shard) -> None:
        self._shards.add(shard)
        self.wake(shard)

    def remove(self, shard: Shard) -> None:
        self._shards.discard(shard)
        self._awake.pop(shard, None)
        self._busy.discard(shard)
        self._timers.drop(shard)

    def wake(self, shard: Shard) -> None:
        """Run a tick of the shard soon, unless it was closed."""
        if shard in self._shards:
            self._awake[shard] = None
            self._busy.add(shard)
            self._event.set()

    def wake_untaken(self) -> None:
        """Try again to take what could not be taken."""
        for shard in self._shards:
            if not shard.taken:
                self.wake(shard)

    def end_waits(self) -> None:
        """Let no receive wait any longer."""
        for shard in self._shards:
            shard.end_waits(self._store.now())

    async def turned(self) -> None:
        """Until the write that is under way, if there is one, is answered."""
        if self._lost:
            return
        self._turn_ends = asyncio.get_running_loop().create_future()
        self._event.set()
        await self._turn_ends

    async def run(self) -> None:
        """Until cancelled."""
        self.start(self._sweep())
        self.start(self._check())
        try:
            while True:
                if self._lost:
                    await self._connect()
                await self._sleep()
                while self._shards and not self._holds():  # noqa: ASYNC110 - a lease ends by time alone
                    await asyncio.sleep(LEASE_LOOK_EVERY)
                try:
                    await self._turn()
                except Unavailable as error:
                    self._lose(error)
                if self._turn_ends and not self._turn_ends.done():
                    self._turn_ends.set_result(None)
                if not self._lost:
                    self._pause = 0.0
        finally:
            if self._alarm:
                self._alarm.cancel()
            for task in self._tasks:
                task.cancel()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the ticks; losing the store there counts as losing it here."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable):
            self._lose(error)
        elif error:
            logger.error("a task of the engine failed", exc_info=error)

    # The store

    def _lose(self, reason: object) -> None:
        if not self._lost:
            logger.warning("the store is lost: %s", reason)
        self._lost = True
        self._event.set()

    async def _connect(self) -> None:
        """Connect anew; every shard is taken again, since the store may not hold what memory holds."""
        first, longest = RECONNECT_AFTER
        while True:
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, longest) or first
            try:
                await self._store.connect()
                break
            except Unavailable as error:
                logger.info("no store yet: %s", error)
        for shard in self._shards:
            shard.taken = False
            self.wake(shard)
        self._lost = False
        logger.info("the store is connected")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY)
            now = self._store.now()
            self.remembers_more = sum(shard.remembered_bytes(now) for shard in self._shards) < self._most_remembered
            for shard in list(self._busy):
                shard.let_go()
                shard.refuse_older(self._store.now() - PATIENCE, Unavailable())
                if shard not in self._awake and not shard.holds_anything:
                    self._busy.discard(shard)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY)
            if not self._lost:
                try:
                    await self._check_once()
                except Unavailable as error:
                    self._lose(error)

    async def _check_once(self) -> None:
        was_full = self._store.full
        await self._store.check()
        if was_full and not self._store.full:
            # Delayed records that are due could not enter their logs.
            for shard in self._shards:
                self.wake(shard)

    # Ticks

    async def _sleep(self) -> None:
        while not self._event.is_set() and not self._lost:
            next_time = self._timers.next()
            if next_time is not None and not self._ring_at(next_time):
                break
            await self._event.wait()
        self._event.clear()
        for shard in self._timers.take(self._store.now()):
            self._awake[shard] = None

    def _ring_at(self, time: int) -> bool:
        """End the sleep at that millisecond; False where that is past. An alarm that is set for one before stays: most
        turns end the sleep sooner, and to set another one each time would cost more."""
        pause = (time - self._store.now()) / 1000
        if pause <= 0:
            return False
        loop = asyncio.get_running_loop()
        if self._alarm is None or loop.time() + pause < self._alarm.when():
            if self._alarm:
                self._alarm.cancel()
            self._alarm = loop.call_later(pause, self._ring)
        return True

    def _ring(self) -> None:
        self._alarm = None
        self._event.set()

    async def _turn(self) -> None:
        self.allowance.renew()
        shards = list(self._awake)[:WRITE_SHARDS]
        for shard in shards:
            del self._awake[shard]
        if self._awake:
            self._event.set()
        untaken = [shard for shard in shards if not shard.taken]
        if untaken:
            await self._take(untaken)
        now = self._store.now()
        ticks = [
            (shard, tick) for shard in shards if shard.taken and shard in self._shards and (tick := shard.collect(now))
        ]
        if ticks:
            outcomes = await self._store.write([tick for _, tick in ticks])
            for (shard, _), outcome in zip(ticks, outcomes, strict=True):
                self._completed(shard, outcome)
        # Who was answered goes first. And where nothing was written, nothing was waited for, while a shard may be awake
        # again: so a turn of the event loop is over either way.
        await asyncio.sleep(0)
        now = self._store.now()
        for shard in shards:
            if shard in self._shards:
                self._follow(shard, now)

    async def _take(self, shards: list[Shard]) -> None:
        results = await asyncio.gather(*(shard.take() for shard in shards), return_exceptions=True)
        for shard, result in zip(shards, results, strict=True):
            if isinstance(result, NotOwner):
                # It comes again, or goes, with the next table.
                self._stale(result)
            elif result is not None:
                self.wake(shard)
        for result in results:
            if result is not None and not isinstance(result, NotOwner):
                raise result

    def _completed(self, shard: Shard, outcome: Outcome) -> None:
        shard.complete(outcome)
        if outcome is Outcome.MOVING:
            self.start(self._wake_later(shard))
        elif outcome is not Outcome.APPLIED:
            self.wake(shard)
        if outcome is Outcome.LOST:
            self._lose("a write was not answered")

    async def _wake_later(self, shard: Shard) -> None:
        await asyncio.sleep(TRY_AGAIN_AFTER)
        self.wake(shard)

    def _follow(self, shard: Shard, now: int) -> None:
        """What a shard needs after its tick: something read, something moved, another tick later."""
        if shard.wants_fetch(now):
            self.start(shard.fetch(now))
        if shard.wants_rewrite(now):
            self.start(shard.rewrite(now))
        if shard.taken and shard.leaving:
            self._leaving(shard)
        if shard.wants_to_join or shard.wants_to_begin:
            self._joining(shard)
        if shard.has_arrivals:
            self.wake(shard)
        time = shard.next_wake()
        if time is not None:
            self._timers.set(shard, time)
