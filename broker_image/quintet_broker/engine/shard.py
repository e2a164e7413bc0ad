"""Shard: what one owner keeps of one log and its cursor, tick by tick.

A tick goes: `collect` turns what arrived into one fenced write and the answers that it allows; the ticker sends it;
`complete` gives the answers once it is stored. Where it is not, the memory is wrong: it is dropped, the shard is
taken again, and what was asked is asked once more.
"""

import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from quintet_broker.engine.arrivals import Arrivals, Waiting
from quintet_broker.engine.claim import Claim
from quintet_broker.engine.cursor import Cursor
from quintet_broker.engine.delayed import Delayed
from quintet_broker.engine.log import Log
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.producers import Producers
from quintet_broker.engine.read_ahead import READ_AHEAD_BYTES, ReadAhead
from quintet_broker.engine.receives import Receives
from quintet_broker.engine.record import Record, encode, gather
from quintet_broker.engine.requests import Acknowledge, Append, Extend, Left, Purge, Receive, Request, Stay
from quintet_broker.engine.work import Totals, Work
from quintet_broker.errors import BrokerError, PoolFull, QueueFull, TooManyInFlight
from quintet_broker.store import tick as stored
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome, Taken, Tick

logger = logging.getLogger(__name__)

TICK_BYTES = 4 * 1024 * 1024
"""A tick takes no more requests once it appends this much."""
FORGET_EVERY = 60 * 1000
"""Milliseconds between looks for producers to forget."""


class Pod(Waiting, Protocol):
    """What all shards of a broker share."""

    def wake(self, shard: "Shard") -> None:
        """Run a tick of the shard soon."""


class Shard:
    """One shard and what is asked of it. Not thread-safe: it belongs to one event loop."""

    def __init__(self, number: int, policy: Policy, store: Store, pod: Pod) -> None:
        self.number = number
        self.policy = policy
        self.totals = Totals()
        self.taken = False
        self._store = store
        self._pod = pod
        self._arrivals = Arrivals(pod)
        self._receives = Receives()
        self._work: Work | None = None
        self._fetching = False
        self._served = False
        """Whether a receive was answered lately."""
        self._closed: BrokerError | None = None
        self._reset(Log(), Cursor(), Producers(), Delayed())

    def _reset(self, log: Log, cursor: Cursor, producers: Producers, delayed: Delayed) -> None:
        self.log = log
        self.cursor = cursor
        self.producers = producers
        self.epoch = 0
        self._delayed = delayed
        self._ahead = ReadAhead(log, cursor)
        self._confirmed = log.tail
        """Every record below is stored."""
        self._tick_number = 0
        self._out: dict[int, int] = {}
        """By target: the sequence of the next record that leaves for it."""
        self._forget_at = 0

    # Asking

    def ask(self, request: Request[Any]) -> None:
        """Serve a request in one of the next ticks. Raises Overloaded, or why the shard was closed."""
        if self._closed:
            raise self._closed
        if isinstance(request, Receive):
            self._receives.add(request)
        else:
            self._arrivals.add(request)
        self._pod.wake(self)

    def set_policy(self, policy: Policy) -> None:
        self.policy = policy
        self._pod.wake(self)

    @property
    def visible(self) -> int:
        return self.cursor.unread(self.log.tail) + self.cursor.due

    @property
    def delayed(self) -> int:
        return self._delayed.count

    @property
    def live_bytes(self) -> int:
        """About what the records take that are not acknowledged: their share of the log's, delayed ones left out."""
        live = self.visible + self.cursor.in_flight + len(self.cursor.leaving)
        return self.log.bytes * live // self.log.records if self.log.records else 0

    @property
    def has_arrivals(self) -> bool:
        return bool(self._arrivals)

    def refuse_older(self, time: int, error: BrokerError) -> None:
        """Refuse what was asked before `time` (milliseconds), receives only if they have waited long enough."""
        self._arrivals.refuse(error, time)
        self._receives.refuse(error, time)
        # The write under way goes on, though those who asked for it wait no longer.
        for request, _ in self._work.answers if self._work else ():
            if (max(request.until, request.at) if isinstance(request, Receive) else request.at) < time:
                request.refuse(error)

    def close(self, error: BrokerError) -> None:
        """Refuse everything that is asked and unanswered, and what will be asked."""
        self._closed = error
        self._arrivals.refuse(error)
        self._receives.refuse(error)
        for request, _ in self._work.answers if self._work else ():
            request.refuse(error)

    # Ownership

    async def take(self) -> None:
        """Become the owner and load what is stored. Raises Unavailable."""
        taken = await self._store.take(self.number)
        self._reset(
            Log.load(0, taken.meta),
            Cursor.load(0, taken.cursor, _gaps(taken)),
            Producers.load(taken.sequences),
            Delayed(taken.delayed, taken.delayed_next),
        )
        self.epoch = taken.epoch
        self._tick_number = int(taken.meta["tick"])
        self._out = {int(f[4:]): int(v) for f, v in taken.meta.items() if f.startswith("out:")}
        self.taken = True
        work, self._work = self._work, None
        if work:
            if (work.tick.epoch, work.tick.number) == (int(taken.meta.get("writer", 0)), self._tick_number):
                self._granted(work)
            else:
                self._ask_again(work)

    def _ask_again(self, work: Work) -> None:
        for request, _ in reversed(work.answers):
            if isinstance(request, Receive):
                self._receives.put_back(request)
            else:
                self._arrivals.put_back(request)

    # A tick

    def collect(self, now: int) -> Tick | None:
        """Everything that can be done now, as one write; None if there is nothing to write."""
        tick = Tick(self.number, self.epoch, self._tick_number + 1, {0: self.log.tail})
        work = Work(tick)
        self._arrive(work, now)
        self._expire(work, now)
        self._deliver(work, now)
        self._time_out(now)
        self._trim(work, now)
        tick.cursor = self.cursor.changes()
        if tick.empty:
            self._granted(work)
            return None
        self._tick_number = tick.number
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
        if outcome is Outcome.FULL:
            self._refuse_appends(self._work)
        logger.info("shard %d: its write was %s, it is taken again", self.number, outcome.name)

    def _refuse_appends(self, work: Work) -> None:
        for request, _ in work.answers:
            if isinstance(request, Append):
                request.refuse(PoolFull())

    def _granted(self, work: Work) -> None:
        self.totals.add(work.totals)
        self._confirmed = self.log.tail
        if work.tick.undelay:
            self._delayed.moved()
        for request, answer in work.answers:
            if isinstance(request, Receive) and request.future.done():
                for delivery in answer:
                    self.cursor.give_back(delivery.offset, delivery.nonce, request.at)
                self._pod.wake(self)
            request.answer(answer)

    # What arrived

    def _arrive(self, work: Work, now: int) -> None:
        size = 0
        work.tick.undelay, fresh = self._delayed.take()
        while size < TICK_BYTES and (request := self._arrivals.take()):
            if isinstance(request, Append):
                if refusal := self._accept(work, request, fresh, now):
                    request.refuse(refusal)
                    continue
                size += request.size
            elif isinstance(request, Purge):
                # What was sent before the purge goes with it.
                self._append(work, fresh, now)
                fresh = []
                self._purge(work)
            else:
                work.answers.append((request, self._settle(work, request, now)))
                continue
            work.answers.append((request, None))
        self._append(work, fresh, now)

    def _accept(self, work: Work, request: Append, fresh: list[Record], now: int) -> BrokerError | None:
        """Take an append's records into the tick, those for now into `fresh`; or why it is refused."""
        before = -1 if request.producer is None else self.producers.last(request.producer)
        records = [
            (record, due)
            for record, due, sequence in zip(request.records, request.due, request.sequences, strict=True)
            if sequence > before
        ]
        if not records:
            return None
        if refusal := self._refusal(request, len(records), fresh):
            return refusal
        if request.producer is not None:
            self._advance(work, request, request.producer, self.log.tail + len(fresh), now)
        for record, due in records:
            if due is None:
                fresh.append(record)
                continue
            work.tick.delay.append((due, encode([record])))
            self._delayed.add(due)
        work.totals.sent += len(records)
        return None

    def _refusal(self, request: Append, more: int, fresh: list[Record]) -> BrokerError | None:
        """Why there is no room for so many records more. What comes from another shard has been let in before."""
        if self._store.full:
            return PoolFull()
        if request.is_moved:
            return None
        policy = self.policy
        held = self.visible + self.cursor.in_flight + self.delayed + len(fresh)
        if policy.messages is not None and held + more > policy.messages:
            return QueueFull(f"The queue holds {held} messages; limits.messages is {policy.messages}.")
        if policy.bytes is not None:
            size = self.live_bytes + sum(record.size for record in fresh)
            if size + request.size > policy.bytes:
                return QueueFull(f"The queue holds about {size} bytes; limits.bytes is {policy.bytes}.")
        return None

    def _advance(self, work: Work, request: Append, producer: int, offset: int, now: int) -> None:
        """Note how far a producer's sequences are stored."""
        first = next(sequence for sequence in request.sequences if sequence > self.producers.last(producer))
        state = self.producers.advance(producer, request.sequences[-1], offset, now).encode()
        known = next((source for source in work.tick.sources if source.producer == producer), None)
        if known:
            known.state = state
        else:
            work.tick.sources.append(stored.Source(producer, 0, first, state))

    def _append(self, work: Work, records: list[Record], now: int) -> None:
        for batch in gather(records):
            base = self.log.tail
            data = encode(batch, base, self.epoch)
            segment = self.log.append(len(batch), len(data), now)
            work.tick.appends.append(stored.Append(0, segment.base, self.log.tail, data))
            work.tick.meta[f"seg:0:{segment.base}"] = segment.encode()
            self._ahead.hold(base, batch)
        if records:
            work.tick.meta["tail:0"] = self.log.tail

    def _purge(self, work: Work) -> None:
        work.tick.clear_delayed = True
        work.tick.delay.clear()
        work.tick.undelay = []
        self._delayed = Delayed()
        self.cursor.seek(self.log.tail)

    def _settle(self, work: Work, request: Request[Any], now: int) -> list[BrokerError | None] | None:
        if isinstance(request, Acknowledge):
            results = [_refusal(self.cursor.acknowledge, offset, nonce) for offset, nonce in request.receipts]
            work.totals.acknowledged += results.count(None)
            return results
        if isinstance(request, Extend):
            return [
                _refusal(self.cursor.extend, offset, nonce, now + hidden) for offset, nonce, hidden in request.receipts
            ]
        if isinstance(request, Left):
            work.totals.dead_lettered += len(request.offsets)
            for offset in request.offsets:
                self.cursor.left(offset)
        elif isinstance(request, Stay):
            for offset in request.offsets:
                self.cursor.stay(offset, now)
        return None

    # What time brings

    def _expire(self, work: Work, now: int) -> None:
        policy = self.policy
        for found in self.cursor.expire(now):
            if policy.dead_letter is None or found.deliveries < policy.max_receives:
                continue
            for offset in list(self.cursor.live(found)):
                sequence = self._out.get(policy.dead_letter, 0)
                self._out[policy.dead_letter] = sequence + 1
                self.cursor.leave(offset, policy.dead_letter, sequence)
            work.tick.meta[f"out:{policy.dead_letter}"] = self._out[policy.dead_letter]
        cut = self.log.written_before(now - policy.retention)
        if cut > self.cursor.acknowledged_to:
            before = self.visible + self.cursor.in_flight
            self.cursor.seek(cut)
            work.totals.expired += before - self.visible - self.cursor.in_flight
        if now >= self._forget_at:
            work.tick.drop_sources = self.producers.forget(now)
            self._forget_at = now + FORGET_EVERY

    def _trim(self, work: Work, now: int) -> None:
        for segment in self.log.trim(self.cursor.acknowledged_to):
            work.tick.unlink.append((0, segment.base))
            work.tick.meta[f"seg:0:{segment.base}"] = None
        while self.cursor.gaps and self.cursor.gaps[0][1] <= self.cursor.acknowledged_to:
            start, _ = self.cursor.gaps.pop(0)
            work.tick.meta[f"gap:0:{start}"] = None

    def next_wake(self) -> int | None:
        """Millisecond at which `collect` has something to do even if nothing arrives."""
        times = [None if self._store.full else self._delayed.next_due]
        if not self._fetching:
            times.append(self._receives.next_end())
        if self._receives.first() or self.policy.dead_letter is not None:
            times.append(self.cursor.next_deadline())
        if self.log.segments and self.log.tail > self.cursor.acknowledged_to:
            times.append(self.log.segments[0].written + self.policy.retention + 1)
        return min((time for time in times if time is not None), default=None)

    # Delivery

    def _deliver(self, work: Work, now: int) -> None:
        while not self.policy.paused and (receive := self._receives.first()):
            claim = Claim(receive, self.cursor, self.policy, now, nonce=random.getrandbits(32))
            claim.take(self._ahead)
            work.totals.expired += claim.expired
            if not claim.deliveries:
                return
            self._receives.remove(receive)
            self._served = True
            work.answers.append((receive, claim.deliveries))
            work.totals.received += len(claim.deliveries)

    def _time_out(self, now: int) -> None:
        """Answer the receives that have waited long enough, unless there is something to read for them."""
        end = self._receives.next_end()
        if end is None or end > now:
            return
        if self.cursor.in_flight >= self.policy.in_flight:
            for receive in self._receives.take_ended(now):
                receive.refuse(TooManyInFlight())
        elif not (self._fetching or self._has_unfetched(now)):
            for receive in self._receives.take_ended(now):
                receive.answer([])

    # Reading

    def _has_unfetched(self, now: int) -> bool:
        """Whether records that may be delivered now, or delayed records that are due, are still to be read."""
        return self._has_due_delayed(now) or self._has_unfetched_for_consumers()

    def _has_due_delayed(self, now: int) -> bool:
        return not self._store.full and self._delayed.wants_fetch(now)

    def _has_unfetched_for_consumers(self) -> bool:
        if self.policy.paused or not (self._served or self._receives.first()):
            return False
        return self._ahead.wants_fetch(self._confirmed)

    def wants_fetch(self, now: int) -> bool:
        return self.taken and not self._fetching and self._has_unfetched(now)

    def fetch(self, now: int) -> Coroutine[None, None, None]:
        """Read what `wants_fetch` found missing. Raises Unavailable."""
        self._fetching = True
        return self._fetch(now, self._delayed, self._ahead)

    async def _fetch(self, now: int, delayed: Delayed, ahead: ReadAhead) -> None:
        """Into what is kept now: where that is replaced meanwhile, what was read is not wanted any more."""
        try:
            if self._has_due_delayed(now):
                await delayed.fetch(self._store, self.number, now)
            if ahead is self._ahead and self._has_unfetched_for_consumers():
                gone = await ahead.fetch(self._store, self.number, self._confirmed)
                if gone and ahead is self._ahead:
                    logger.error("shard %d: records are gone from the store, at offsets %s", self.number, gone)
        finally:
            self._fetching = False
            self._pod.wake(self)

    async def read(self, offsets: list[int]) -> list[Record | None]:
        """The records at these offsets, or at the first of them, if they are large. Raises Unavailable."""
        return await self.log.pick(self._store, self.number, offsets, READ_AHEAD_BYTES)

    def let_go(self) -> None:
        """Without consumers, keep nothing read ahead."""
        if self._served or self._receives.first() or not self.taken or self._fetching:
            self._served = False
            return
        self._ahead.let_go()


def _gaps(taken: Taken) -> list[tuple[int, int]]:
    return [(int(f.split(":")[2]), int(end)) for f, end in taken.meta.items() if f.startswith("gap:0:")]


def _refusal(verb: Callable[..., None], *arguments: int) -> BrokerError | None:
    try:
        verb(*arguments)
    except BrokerError as error:
        return error
    return None
