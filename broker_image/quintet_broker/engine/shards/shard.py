"""Shard: one shard under its owner, tick by tick.

A tick goes: `collect` turns what arrived into one fenced write and the answers that it allows; the ticker sends it;
`complete` gives the answers once it is stored. Where it is not, the memory is wrong: it is dropped, the shard is
taken again, and what was asked is asked once more.
"""

import logging
import math
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol

from quintet_broker.engine.asked.arrivals import Waiting
from quintet_broker.engine.asked.asked import Asked
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.lanes.leaving import Leaving
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES, ReadAhead
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.selector import Allowance
from quintet_broker.engine.requests import Append, Counts, Peek, Receive, Request, Tail
from quintet_broker.engine.shards.dispatch import Dispatch
from quintet_broker.engine.shards.expiry import Expiry
from quintet_broker.engine.shards.intake import Intake
from quintet_broker.engine.shards.peek import peek
from quintet_broker.engine.shards.redriver import Redriver
from quintet_broker.engine.shards.rewriter import Rewriter
from quintet_broker.engine.shards.tail import tail
from quintet_broker.engine.shards.work import Totals, Work
from quintet_broker.engine.state.delayed import Delayed
from quintet_broker.engine.state.growth import Growth
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.producers import Producers
from quintet_broker.engine.state.state import State
from quintet_broker.errors import (
    BrokerError,
    NotOwner,
    PoolFull,
    TooManyInFlight,
    Unavailable,
)
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome, Tick

logger = logging.getLogger(__name__)

FORGET_EVERY = 60 * 1000
"""Milliseconds between looks for producers to forget."""
LOOK_LONGEST = 5 * 1000
"""Milliseconds for which a receive whose time is over goes on looking for what its selector matches."""


class Pod(Waiting, Protocol):
    """What all shards of a broker share."""

    owner: str
    """The broker's name."""
    generation: int
    """Of the pool, by which it owns its shards."""
    allowance: Allowance
    """For selectors."""
    remembers_more: bool
    """Whether there is memory for more deduplication ids."""

    @property
    def most_kept(self) -> int:
        """Bytes of what is appended that each shard may hold for consumers which come to it soon."""

    def wake(self, shard: "Shard") -> None:
        """Run a tick of the shard soon."""


class Shard:
    """One shard and what is asked of it. Not thread-safe: it belongs to one event loop."""

    def __init__(self, number: int, policy: Policy, store: Store, pod: Pod, totals: Totals | None = None) -> None:
        self.number = number
        self.policy = policy
        self.totals = totals or Totals()
        self.taken = False
        self._store = store
        self._pod = pod
        self._asked = Asked(pod)
        self._rewriter = Rewriter(number, store)
        self._work: Work | None = None
        self._fetching = False
        self._served = False
        """Whether a receive without a selector was answered lately."""
        self._going_on: set[str | None] = set()
        """Selectors that have not looked at all that is held, since the tick took long enough."""
        self._closed: BrokerError | None = None
        self._forget_at = 0
        self._has_new_policy = False
        self._state = State([Lane.begin(0, 0, policy.ordered)], Producers(), Delayed())
        self._state.growth = Growth(len(policy.older), policy.ordered)

    @property
    def first(self) -> int:
        """Number of its queue's first shard, by which other queues know the queue."""
        return (*self.policy.older, self.number)[0]

    @property
    def lanes(self) -> dict[int, Lane]:
        """Those of the highest priority first."""
        return self._state.lanes

    @property
    def counts(self) -> Counts:
        return self._state.counts

    @property
    def leaving(self) -> int:
        return self._state.leaving

    @property
    def targets(self) -> set[int]:
        """The shards for which records are leaving."""
        return self._state.targets

    @property
    def live_bytes(self) -> int:
        return self._state.live_bytes

    def remembered_bytes(self, now: int) -> int:
        """Of the deduplication ids that it holds; what is too old is let go."""
        self._state.deduplication.forget(now)
        return self._state.deduplication.size

    @property
    def has_arrivals(self) -> bool:
        """Whether the next tick takes some."""
        return bool(self._asked.arrivals) and self._takes

    @property
    def _takes(self) -> bool:
        """Whether it knows all that it must for what arrives."""
        return self._state.growth.joined and self._state.deduplication.is_complete

    @property
    def wants_to_join(self) -> bool:
        """Whether something was asked that waits for older shards to split."""
        return self.taken and bool(self._asked.arrivals) and not self._state.growth.joined

    @property
    def wants_to_begin(self) -> bool:
        """Whether it holds what waits for older shards to settle what they have."""
        growth = self._state.growth
        return self.taken and growth.joined and not growth.open and self._state.visible > 0

    @property
    def holds_anything(self) -> bool:
        """Whether there is something to refuse or to let go in time."""
        held = self._state.holds_some or any(lane.selections.hold_some for lane in self.lanes.values())
        return bool(self._asked or self._work or self._served or held)

    # Asking

    def ask(self, request: Request[Any]) -> None:
        """Serve a request in one of the next ticks. Raises Overloaded, or why the shard was closed."""
        if self._closed:
            raise self._closed
        if isinstance(request, Receive) and self.policy.consumers != "Shared":
            # Once its client has gone, another consumer may become active.
            request.future.add_done_callback(lambda _: self._pod.wake(self))
        self._asked.add(request)
        self._pod.wake(self)

    def set_policy(self, policy: Policy) -> None:
        self.policy = policy
        self._has_new_policy = True
        self._asked.turns.recall()
        self._pod.wake(self)

    def join(self, number: int) -> None:
        """Each older shard has split, and none of them gives a record that number or a higher one to what is ours."""
        state = self._state
        if not state.growth.joined:
            state.next_number = max(state.next_number, number)
            state.growth.join()
        self._pod.wake(self)

    def begin(self) -> None:
        """What older shards had is settled."""
        self._state.growth.begin()
        self._pod.wake(self)

    def end_waits(self, now: int) -> None:
        """Answer the receives that wait, with what is there."""
        self._asked.end_waits(now)
        self._pod.wake(self)

    def refuse_older(self, time: int, error: BrokerError) -> None:
        """Refuse what was asked before `time` (milliseconds), receives only if they have waited long enough."""
        self._refuse(error, time)

    def close(self, error: BrokerError) -> None:
        """Refuse everything that is asked and unanswered, and what will be asked."""
        self._closed = error
        self._refuse(error)

    def give_up(self) -> None:
        """Another broker owns the shard from now on: what is asked here is to be asked there.

        What is being written is answered once it is known whether it is stored.
        """
        self._closed = NotOwner()
        self._asked.refuse(self._closed)
        if self._work and not self.taken:
            self._refuse_work(Unavailable())

    def _refuse(self, error: BrokerError, before: float = math.inf) -> None:
        self._asked.refuse(error, before)
        if self._work:
            self._work.refuse(error, before)

    # Ownership

    async def take(self) -> None:
        """Become the owner and load what is stored. Raises Unavailable, NotOwner."""
        taken = await self._store.take(self.number, self._pod.owner, self._pod.generation)
        self._state = State.load(taken, self.policy.ordered, len(self.policy.older))
        self._asked.turns.recall()
        self.taken = True
        if self._work is None:
            return
        writer, epoch = int(taken.meta.get("writer", 0)), self._work.tick.epoch
        if writer > epoch:
            # Somebody wrote since: what of ours came before that, nobody can tell.
            self._refuse_work(Unavailable())
            return
        work, self._work = self._work, None
        if (writer, self._state.tick_number) == (epoch, work.tick.number):
            self._granted(work)
        else:
            self._ask_again(work)

    def _refuse_work(self, error: BrokerError) -> None:
        """Of what is under way, refuse what may have been stored with `error`; the rest can be asked anywhere."""
        assert self._work is not None
        for request, _ in self._work.answers:
            request.refuse(NotOwner() if request.is_idempotent else error)
        self._work = None

    def _ask_again(self, work: Work) -> None:
        for request, _ in reversed(work.answers):
            self._asked.put_back(request)

    # A tick

    def collect(self, now: int) -> Tick | None:
        """Everything that can be done now, as one write; None if there is nothing to write."""
        state = self._state
        tails = {number: lane.log.tail for number, lane in state.lanes.items()}
        tick = Tick(self.number, state.epoch, state.tick_number + 1, tails)
        work = Work(tick)
        for lane in state.lanes.values():
            lane.keep(self._pod.most_kept // len(tails))
        if self._takes and (self._asked.arrivals or state.delayed.found):
            Intake(state, self.policy, work, now, self._store.full, self._pod.remembers_more).take(self._asked.arrivals)
        Expiry(state, self.policy, work, now, self._has_new_policy).run()
        self._has_new_policy = False
        self._forget_producers(work, now)
        self._asked.turns.take(state.consumers, self.policy, now, state.in_flight > 0)
        self._deliver(work, now)
        if state.growth.open:
            Redriver(state, self.policy, work, now).run()
        self._time_out(now)
        for lane in state.lanes.values():
            lane.trim(tick)
            tick.cursor |= lane.cursor.changes()
        tick.meta |= state.changes()
        if tick.empty:
            self._granted(work)
            return None
        state.tick_number = tick.number
        self._work = work
        return tick

    def complete(self, outcome: Outcome) -> None:
        """What became of the tick that `collect` returned last."""
        assert self._work is not None
        if outcome is Outcome.APPLIED:
            work, self._work = self._work, None
            self._granted(work)
            return
        self.taken = False
        if isinstance(self._closed, NotOwner):
            self._refuse_work(Unavailable() if outcome is Outcome.LOST else NotOwner())
            return
        if outcome is Outcome.FULL:
            self._refuse_appends(self._work)
        logger.info("shard %d: its write was %s, it is taken again", self.number, outcome.name)

    def _refuse_appends(self, work: Work) -> None:
        for request, _ in work.answers:
            if isinstance(request, Append):
                request.refuse(PoolFull())

    def _granted(self, work: Work) -> None:
        self.totals.add(work.totals)
        for lane in self.lanes.values():
            lane.confirmed = lane.log.tail
        if work.tick.undelay:
            self._state.delayed.moved()
        for request, answer in work.answers:
            request.answer(answer)

    # What time brings

    def _forget_producers(self, work: Work, now: int) -> None:
        if now >= self._forget_at:
            work.tick.drop_sources = self._state.producers.forget(now)
            self._forget_at = now + FORGET_EVERY

    def next_wake(self) -> int | None:
        """Millisecond at which `collect` has something to do even if nothing arrives."""
        times: list[int | None] = []
        if not self._fetching:
            times.append(self._asked.receives.next_end())
            times.append(self._asked.turns.next_end())
            times.append(None if self._store.full else self._state.delayed.next_due)
        if self._state.growth.open:
            times.append(self._state.next_redrive)
        times.append(self._state.consumers.next_look())
        if self.taken:
            times.append(self._rewriter.next_look(self._state, self._store.full))
        expires = bool(self._asked.receives) or self._asked.turns.some_wait or self.policy.dead_letter is not None
        for lane in self.lanes.values():
            if expires:
                times.append(lane.cursor.next_deadline())
            times.append(lane.next_end(self.policy.retention))
        return min((time for time in times if time is not None), default=None)

    # Delivery

    @property
    def _delivers(self) -> bool:
        return not self.policy.paused and self._state.growth.open

    def _deliver(self, work: Work, now: int) -> None:
        """Serve the receives."""
        self._going_on.clear()
        if not self._delivers:
            return
        self._tell_wanted()
        if not self._asked.receives.some:
            return
        dispatch = Dispatch(self._state, self.policy, work, now, self._asked.receives, self._pod.allowance)
        dispatch.run()
        self._served |= dispatch.served
        self._going_on = dispatch.going_on
        if self._going_on:
            self._pod.wake(self)

    def _tell_wanted(self) -> None:
        """Where an order is kept, for whom records that wait are to be read: for nobody while none can be delivered, as
        what is read for one may take the place of what was for another."""
        for lane in self.lanes.values():
            if lane.groups:
                lane.groups.wanted = []
                if self._state.in_flight >= self.policy.in_flight:
                    continue
                lane.groups.wanted += self._asked.receives.selectors
                if self._served or self._asked.receives.first() or self._state.is_redriving:
                    lane.groups.wanted.append(None)

    def _time_out(self, now: int) -> None:
        """Answer the receives that have waited long enough, unless there is something to read for them."""
        end = self._asked.receives.next_end()
        if end is None or end > now:
            return
        if self._state.in_flight >= self.policy.in_flight:
            for receive in self._asked.receives.take_ended(now):
                receive.refuse(TooManyInFlight())
            return
        if self._fetching or self._has_due_delayed(now):
            return
        for receive in self._asked.receives.take_ended(now):
            if now < receive.until + LOOK_LONGEST and self._looks_on(receive.selector):
                self._asked.receives.add(receive)
            else:
                receive.answer([])

    def _looks_on(self, selector: str | None) -> bool:
        """Whether there is more to look at for the receives of a line."""
        if not self._delivers:
            return False
        if selector is None or self.policy.ordered:
            return selector in self._going_on or any(lane.wants_fetch for lane in self.lanes.values())
        return selector in self._going_on or any(
            selection.wants_fetch(lane.confirmed)
            for lane in self.lanes.values()
            if (selection := lane.selections.find(selector))
        )

    # Reading

    def _has_unfetched(self, now: int) -> bool:
        """Whether records that may be delivered now, or delayed records that are due, are still to be read."""
        return self._has_due_delayed(now) or any(True for _ in self._unfetched())

    def _has_due_delayed(self, now: int) -> bool:
        return not self._store.full and self._state.delayed.wants_fetch(now)

    def _unfetched(self) -> Iterator[tuple[Lane, ReadAhead]]:
        """What is still to be read for consumers."""
        receives = self._asked.receives if self.policy.ordered else self._asked.receives.first()
        is_consumed = self._delivers and bool(self._served or receives)
        is_redriven = self._state.is_redriving and self._state.growth.open
        for lane in self.lanes.values():
            if (is_consumed or is_redriven) and lane.wants_fetch:
                yield lane, lane.ahead
        if not self._delivers:
            return
        for lane in self.lanes.values():
            for selector in self._asked.receives.selectors:
                selection = lane.selections.find(selector)
                if selection and selection.wants_fetch(lane.confirmed):
                    yield lane, selection.ahead

    def wants_fetch(self, now: int) -> bool:
        if not self.taken or self._fetching:
            return False
        return bool(self._asked.looks) or not self._state.deduplication.is_complete or self._has_unfetched(now)

    def fetch(self, now: int) -> Coroutine[None, None, None]:
        """Read what `wants_fetch` found missing. Raises Unavailable."""
        self._fetching = True
        return self._fetch(self._state, now)

    async def _fetch(self, state: State, now: int) -> None:
        """Read into a state; if the shard is taken again meanwhile, nobody looks there any more."""
        try:
            if self._asked.looks:
                await self._look(state)
            if self._has_due_delayed(now):
                await state.delayed.fetch(self._store, self.number, now)
            if state is self._state:
                for lane, ahead in list(self._unfetched()):
                    await self._fetch_ahead(state, lane, ahead)
            if not state.deduplication.is_complete:
                await state.deduplication.fetch(self._store, self.number)
        finally:
            self._fetching = False
            self._pod.wake(self)

    async def _look(self, state: State) -> None:
        asked = self._asked.looks.take()
        try:
            if isinstance(asked, Peek):
                asked.answer(await peek(state.lanes, self.policy, self._store, self.number, asked))
            elif isinstance(asked, Tail):
                asked.answer(await tail(state.lanes, state.first_sequence, self._store, self.number, asked))
        except Unavailable:
            if asked:
                self._asked.looks.put_back(asked)
            raise

    async def _fetch_ahead(self, state: State, lane: Lane, ahead: ReadAhead) -> None:
        gone = await ahead.fetch(self._store, self.number, lane.confirmed)
        if gone and state is self._state:
            logger.error(
                "shard %d: records are gone from the store, of log %d at offsets %s", self.number, lane.number, gone
            )

    def wants_rewrite(self, now: int) -> bool:
        return self.taken and self._rewriter.wants(self._state, now, self._store.full)

    async def rewrite(self, now: int) -> None:
        """Replace what `wants_rewrite` found by its live records. Raises Unavailable."""
        try:
            await self._rewriter.run(self._state, now, self._store.full, self.ask)
        finally:
            # There may be more, in a while.
            self._pod.wake(self)

    def next_leaving(self, target: int, most: int) -> tuple[Lane, list[Leaving]] | None:
        """Records that go to a target next: up to so many of one lane, in order."""
        return self._state.next_leaving(target, most)

    async def read(self, lane: Lane, offsets: list[int]) -> list[Record | None]:
        """The records at these offsets, or at the first of them, if they are large. Raises Unavailable."""
        return await lane.log.pick(self._store, self.number, offsets, READ_AHEAD_BYTES)

    def let_go(self) -> None:
        """Without consumers, keep nothing read ahead."""
        if not self.taken or self._fetching:
            return
        if not (self._served or self._asked.receives or self._state.is_redriving):
            for lane in self.lanes.values():
                lane.ahead.let_go()
        self._served = False
        for lane in self.lanes.values():
            lane.selections.let_go()
            if lane.groups:
                lane.groups.forget_others()
