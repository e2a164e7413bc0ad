"""Shard: what one owner keeps of one log and its cursor, tick by tick.

A tick goes: `collect` turns what arrived into one fenced write and the answers that it allows; the ticker sends it;
`complete` gives the answers once it is stored. Where it is not, the memory is wrong: it is dropped, the shard is
taken again, and what was asked is asked once more.
"""

import heapq
import logging
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from msgspec import Struct, field

from quintet_broker.engine.cursor import Cursor
from quintet_broker.engine.log import Log
from quintet_broker.engine.producers import Producers
from quintet_broker.engine.record import Record, decode, encode, gather
from quintet_broker.engine.requests import (
    Acknowledge,
    Append,
    Delivery,
    Extend,
    Left,
    Purge,
    Receive,
    Request,
    Stay,
)
from quintet_broker.errors import BrokerError, Overloaded, PoolFull, QueueFull, TooManyInFlight
from quintet_broker.store import tick as stored
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome, Taken, Tick

logger = logging.getLogger(__name__)

TICK_BYTES = 4 * 1024 * 1024
"""A tick takes no more requests once it appends this much."""
WAITING_BYTES = 64 * 1024 * 1024
"""What a broker holds, over all its shards, that no tick took yet."""
READ_AHEAD_BYTES = 1024 * 1024
"""How much of a log is held decoded, ahead of its consumers."""
READ_AHEAD_BATCHES = 16
AT_ONCE = 500
"""Records that are due again, or delayed records, read at once."""
FORGET_EVERY = 60 * 1000
"""Milliseconds between looks for producers to forget."""
MOVED_AT = "quintet-moved-at"
"""Header of a record that came from another shard: milliseconds since 1970. Its retention begins then."""


class Policy(Struct, frozen=True):
    """How a shard treats its records. Times in milliseconds."""

    name: str
    """Of the queue, for what it tells other shards."""
    retention: int
    in_flight: int
    """No more records than this are delivered and not settled."""
    messages: int | None = None
    """A client's append beyond so many records, delayed ones included, is refused; so too `bytes`."""
    bytes: int | None = None
    paused: bool = False
    max_receives: int = 0
    dead_letter: int | None = None
    """Number of the shard to which records go that were delivered `max_receives` times in vain."""


class Totals(Struct):
    """Records since this process took the shard."""

    sent: int = 0
    received: int = 0
    acknowledged: int = 0
    dead_lettered: int = 0
    expired: int = 0


class Work(Struct):
    """One tick under way: what is written, and what may be answered once it is."""

    tick: Tick
    answers: list[tuple[Request[Any], Any]] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)


class Pod(Protocol):
    """What all shards of a broker share."""

    waiting_bytes: int
    """Bytes of all requests that no tick took yet."""

    def wake(self, shard: "Shard") -> None:
        """Run a tick of the shard soon."""


class Shard:
    """One shard and its queue of requests. Not thread-safe: it belongs to one event loop."""

    def __init__(self, number: int, policy: Policy, store: Store, pod: "Pod") -> None:
        self.number = number
        self.policy = policy
        self.totals = Totals()
        self.taken = False
        self._store = store
        self._pod = pod
        self._arrivals: deque[Request[Any]] = deque()
        self._receives: deque[Receive] = deque()
        self._timeouts: list[tuple[int, int, Receive]] = []
        self._work: Work | None = None
        self._fetching = False
        self._served = False
        """Whether a receive was answered lately."""
        self._reset(Log(), Cursor(), Producers())

    def _reset(self, log: Log, cursor: Cursor, producers: Producers) -> None:
        self.log = log
        self.cursor = cursor
        self.producers = producers
        self.epoch = 0
        self.delayed = 0
        self._confirmed = log.tail
        """Every record below is stored."""
        self._tick_number = 0
        self._out: dict[int, int] = {}
        self._generation = object()
        """Changes whenever what is being read may be wrong by the time it is there."""
        self._delayed_next: int | None = None
        self._delayed_due: list[bytes] = []
        self._again: deque[int] = deque()
        """Offsets that are due again and not read."""
        self._ready_again: deque[tuple[int, Record]] = deque()
        self._ready: deque[tuple[int, Record]] = deque()
        """Unread records, in order, up to `_ready_to`."""
        self._ready_to = cursor.read_to
        self._ready_bytes = 0
        self._forget_at = 0

    # Asking

    def ask(self, request: Request[Any]) -> None:
        """Serve a request in one of the next ticks. Raises Overloaded."""
        if isinstance(request, Receive):
            self._receives.append(request)
            heapq.heappush(self._timeouts, (request.until, id(request), request))
        elif request.size and self._pod.waiting_bytes + request.size > WAITING_BYTES:
            raise Overloaded
        else:
            self._arrivals.append(request)
            self._pod.waiting_bytes += request.size
        self._pod.wake(self)

    def set_policy(self, policy: Policy) -> None:
        self.policy = policy
        self._pod.wake(self)

    @property
    def visible(self) -> int:
        return self.cursor.unread(self.log.tail) + self.cursor.due

    @property
    def live_bytes(self) -> int:
        """About what the records take that are not acknowledged: their share of the log's, delayed ones left out."""
        live = self.visible + self.cursor.in_flight + len(self.cursor.leaving)
        return self.log.bytes * live // self.log.records if self.log.records else 0

    def refuse_older(self, time: int, error: BrokerError) -> None:
        """Refuse what was asked before `time` (milliseconds), receives only if they have waited long enough."""
        kept = deque[Request[Any]]()
        for request in self._arrivals:
            if request.at < time:
                request.refuse(error)
                self._pod.waiting_bytes -= request.size
            else:
                kept.append(request)
        self._arrivals = kept
        # The write under way goes on, though those who asked for it wait no longer.
        written = [request for request, _ in self._work.answers] if self._work else []
        for request in (*self._receives, *written):
            if (max(request.until, request.at) if isinstance(request, Receive) else request.at) < time:
                request.refuse(error)

    @property
    def has_arrivals(self) -> bool:
        return bool(self._arrivals)

    def close(self, error: BrokerError) -> None:
        """Refuse everything that is asked and unanswered."""
        for request in (
            *self._arrivals,
            *self._receives,
            *(r for r, _ in (self._work.answers if self._work else ())),
        ):
            request.refuse(error)
        self._pod.waiting_bytes -= sum(request.size for request in self._arrivals)
        self._arrivals.clear()
        self._receives.clear()
        self._timeouts.clear()

    # Ownership

    async def take(self) -> None:
        """Become the owner and load what is stored. Raises Unavailable."""
        taken = await self._store.take(self.number)
        log = Log.load(0, taken.meta)
        self._reset(log, Cursor.load(0, taken.cursor, _gaps(taken)), Producers.load(taken.sequences))
        self.epoch = taken.epoch
        self.delayed = taken.delayed
        self._delayed_next = taken.delayed_next
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
                request.waiting = True
                self._receives.appendleft(request)
                heapq.heappush(self._timeouts, (request.until, id(request), request))
            else:
                self._arrivals.appendleft(request)
                self._pod.waiting_bytes += request.size

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
        for name in Totals.__struct_fields__:
            setattr(self.totals, name, getattr(self.totals, name) + getattr(work.totals, name))
        self._confirmed = self.log.tail
        if work.tick.clear_delayed:
            self._generation = object()
        if work.tick.undelay:
            self._delayed_next = 0
        for request, answer in work.answers:
            if isinstance(request, Receive) and request.future.done():
                for delivery in answer:
                    self.cursor.give_back(delivery.offset, delivery.nonce, request.at)
                self._pod.wake(self)
            request.answer(answer)

    # What arrived

    def _arrive(self, work: Work, now: int) -> None:
        fresh: list[Record] = []
        size = 0
        if self._delayed_due:
            work.tick.undelay = self._delayed_due
            self.delayed -= len(self._delayed_due)
            fresh += [record for batch in self._delayed_due for _, record in decode(batch)]
            self._delayed_due = []
        while self._arrivals and size < TICK_BYTES:
            request = self._arrivals.popleft()
            self._pod.waiting_bytes -= request.size
            if request.future.done():
                continue
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
            self.delayed += 1
            self._delayed_next = due if self._delayed_next is None else min(self._delayed_next, due)
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
            if self._unread_from == base and self._ready_bytes < READ_AHEAD_BYTES:
                self._hold(list(enumerate(batch, base)))
        if records:
            work.tick.meta["tail:0"] = self.log.tail

    def _purge(self, work: Work) -> None:
        work.tick.clear_delayed = True
        work.tick.delay.clear()
        work.tick.undelay = []
        self.delayed = 0
        self._delayed_next = None
        self._generation = object()
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
                self._again.extend(self.cursor.live(found))
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
        times = [None if self._store.full else self._delayed_next]
        if self._timeouts and not self._fetching:
            times.append(self._timeouts[0][0])
        if self._receives or self.policy.dead_letter is not None:
            times.append(self.cursor.next_deadline())
        if self.log.segments and self.log.tail > self.cursor.acknowledged_to:
            times.append(self.log.segments[0].written + self.policy.retention + 1)
        return min((time for time in times if time is not None), default=None)

    # Delivery

    def _deliver(self, work: Work, now: int) -> None:
        while self._receives and not self.policy.paused:
            receive = self._receives[0]
            if not receive.future.done():
                room = self.policy.in_flight - self.cursor.in_flight
                deliveries = self._claim(work, min(receive.limit, room), now, receive.visibility)
                if not deliveries:
                    return
                receive.waiting = False
                self._served = True
                work.answers.append((receive, deliveries))
                work.totals.received += len(deliveries)
            self._receives.popleft()

    def _claim(self, work: Work, limit: int, now: int, visibility: int) -> list[Delivery]:
        nonce = random.getrandbits(32)
        claimed: list[Delivery] = []

        def claim(offset: int, records: list[Record]) -> None:
            found = self.cursor.deliver(offset, len(records), now, now + visibility, nonce)
            claimed.extend(
                Delivery(o, nonce, record, found.deliveries, found.first_received)
                for o, record in enumerate(records, offset)
            )

        while self._ready_again and len(claimed) < limit:
            offset, record = self._ready_again.popleft()
            if self.cursor.is_due(offset) and not self._drop_if_expired(work, offset, record, now):
                claim(offset, [record])
        run: list[Record] = []
        start = 0
        while self._ready and len(claimed) + len(run) < limit:
            offset, record = self._ready.popleft()
            self._ready_bytes -= record.size
            if offset < self.cursor.read_to:
                continue
            if run and offset != start + len(run):
                claim(start, run)
                run = []
            if self._is_expired(record, now):
                if run:
                    claim(start, run)
                    run = []
                self._drop_if_expired(work, offset, record, now)
                continue
            start = offset if not run else start
            run.append(record)
        if run:
            claim(start, run)
        return claimed

    def _is_expired(self, record: Record, now: int) -> bool:
        if record.timestamp + self.policy.retention > now:
            return False
        return int(record.header(MOVED_AT) or record.timestamp) + self.policy.retention <= now

    def _drop_if_expired(self, work: Work, offset: int, record: Record, now: int) -> bool:
        expired = self._is_expired(record, now)
        if expired:
            self.cursor.drop(offset)
            work.totals.expired += 1
        return expired

    def _time_out(self, now: int) -> None:
        """Answer the receives that have waited long enough, unless there is something to read for them."""
        timeouts = self._timeouts
        while timeouts and (_is_over(timeouts[0][2]) or timeouts[0][0] <= now):
            receive = timeouts[0][2]
            if not _is_over(receive):
                if self.cursor.in_flight >= self.policy.in_flight:
                    receive.refuse(TooManyInFlight())
                elif self._fetching or self._has_unfetched(now):
                    return
                else:
                    receive.answer([])
            heapq.heappop(timeouts)
        while self._receives and self._receives[0].future.done():
            self._receives.popleft()

    # Reading ahead

    def _has_unfetched(self, now: int) -> bool:
        """Whether records that may be delivered now, or delayed records that are due, are still to be read."""
        if self._has_delayed(now):
            return True
        if not (self._receives or self._served) or self.policy.paused:
            return False
        return self._wants_again() or self._wants_unread()

    def _wants_again(self) -> bool:
        return bool(self._again) and not self._ready_again

    def _wants_unread(self) -> bool:
        return self._ready_bytes < READ_AHEAD_BYTES // 2 and self._unread_from < self._confirmed

    def _has_delayed(self, now: int) -> bool:
        # Those that a tick is moving at this moment would be found, and moved, again.
        moving = self._delayed_due or (self._work and self._work.tick.undelay)
        return not moving and not self._store.full and self._delayed_next is not None and self._delayed_next <= now

    @property
    def _unread_from(self) -> int:
        return max(self._ready_to, self.cursor.read_to)

    def wants_fetch(self, now: int) -> bool:
        return self.taken and not self._fetching and self._has_unfetched(now)

    def fetch(self, now: int) -> Coroutine[None, None, None]:
        """Read what `wants_fetch` found missing. Raises Unavailable."""
        self._fetching = True
        return self._fetch(now, self._generation)

    async def _fetch(self, now: int, generation: object) -> None:
        try:
            if self._has_delayed(now):
                await self._fetch_delayed(now, generation)
            if self._wants_again():
                await self._fetch_again(generation)
            if self._wants_unread():
                await self._fetch_unread(generation)
        finally:
            self._fetching = False
            self._pod.wake(self)

    async def _fetch_delayed(self, now: int, generation: object) -> None:
        self._delayed_next = None
        due = await self._store.due(self.number, now, AT_ONCE)
        later = None if due else await self._store.next_due(self.number)
        if generation is not self._generation:
            return
        self._delayed_due = due
        if later is not None:
            known = self._delayed_next
            self._delayed_next = later if known is None else min(known, later)

    async def _fetch_again(self, generation: object) -> None:
        offsets = [self._again.popleft() for _ in range(min(len(self._again), AT_ONCE))]
        records = await self.read(offsets)
        if generation is self._generation:
            self._ready_again.extend(records)

    async def _fetch_unread(self, generation: object) -> None:
        start = self._unread_from
        records = await self.log.read(self._store, self.number, start, READ_AHEAD_BATCHES)
        if generation is not self._generation or start != self._unread_from:
            return
        if records:
            self._hold(records)
        elif start < self._confirmed:
            logger.error("shard %d: records %d to %d are gone from the store", self.number, start, self._confirmed)
            self._ready_to = self._confirmed

    def _hold(self, records: list[tuple[int, Record]]) -> None:
        self._ready.extend(records)
        self._ready_bytes += sum(record.size for _, record in records)
        self._ready_to = records[-1][0] + 1

    async def read(self, offsets: list[int]) -> list[tuple[int, Record]]:
        """The records at these offsets that are still stored. Raises Unavailable."""
        wanted = set(offsets)
        found: dict[int, Record] = {}
        for offset in offsets:
            if offset not in found:
                batch = await self.log.read(self._store, self.number, offset, 1)
                found.update((o, record) for o, record in batch if o in wanted)
        return [(offset, found[offset]) for offset in offsets if offset in found]

    def let_go(self) -> None:
        """Without consumers, keep nothing read ahead."""
        if self._receives or self._served or not self.taken or self._fetching:
            self._served = False
            return
        self._again.extendleft(offset for offset, _ in reversed(self._ready_again))
        self._ready_again.clear()
        self._ready.clear()
        self._ready_bytes = 0
        self._ready_to = self.cursor.read_to


def _gaps(taken: Taken) -> list[tuple[int, int]]:
    return [(int(f.split(":")[2]), int(end)) for f, end in taken.meta.items() if f.startswith("gap:0:")]


def _is_over(receive: Receive) -> bool:
    return receive.future.done() or not receive.waiting


def _refusal(verb: Callable[..., None], *arguments: int) -> BrokerError | None:
    try:
        verb(*arguments)
    except BrokerError as error:
        return error
    return None
