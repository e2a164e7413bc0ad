"""Intake: what arrived at a shard goes into one tick. Pure; `now` is an argument."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from quintet_broker.engine.asked.arrivals import Arrivals
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.records.headers import ID, NUMBER, last_expiry, number, numbered, priority
from quintet_broker.engine.records.reason import Reason
from quintet_broker.engine.records.record import MAX_BATCH_BYTES, Record, encode, gather
from quintet_broker.engine.records.run import Run
from quintet_broker.engine.records.sealed import Sealed
from quintet_broker.engine.requests import (
    Acknowledge,
    Append,
    CloseConsumer,
    Count,
    Extend,
    GiveBack,
    Left,
    Place,
    Progress,
    Purge,
    Recall,
    Receipt,
    Request,
    Sent,
    Settled,
    Split,
    StartRedrive,
    Stay,
    StopRedrive,
    TellConsumer,
    TellRedrives,
)
from quintet_broker.engine.shards import settle
from quintet_broker.engine.shards.overflow import Overflow
from quintet_broker.engine.shards.rewriter import Rewrite
from quintet_broker.engine.shards.work import Work
from quintet_broker.engine.state.deduplication import KEPT, Deduplication
from quintet_broker.engine.state.delayed import Delayed
from quintet_broker.engine.state.jump import hash_of
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.redrive import Redrive
from quintet_broker.engine.state.state import State
from quintet_broker.errors import BrokerError, KeyMoved, PoolFull, QueueFull
from quintet_broker.store import tick as stored

TICK_BYTES = 4 * 1024 * 1024
"""A tick takes no more requests once it appends this much."""
SETTLE_BYTES = 128
"""What a record that is asked about counts for in that: a tick is not to take long either, where receipts are stale."""


class Intake:
    """Turns requests, in their order, into changes of the shard's state and into the write that stores them."""

    def __init__(
        self, state: State, policy: Policy, work: Work, now: int, full: bool = False, remembers_more: bool = True
    ) -> None:
        self._state = state
        self._policy = policy
        self._work = work
        self._now = now
        self._full = full
        """Whether the store takes no appends."""
        self._remembers_more = remembers_more
        """Whether there is memory for more deduplication ids."""
        self._fresh: defaultdict[int, list[Record]] = defaultdict(list)
        """By log, records taken and not appended yet: those of one tick share batches."""
        self._logs: dict[int, tuple[int, int]] = {}
        """What `_before` found."""
        self._sent = False
        """Whether clients sent some."""

    def take(self, arrivals: Arrivals) -> None:
        """Take delayed records that are due, then what arrived, as much as one tick should write."""
        self._work.tick.undelay, due = self._state.delayed.take()
        for record in due:
            self._fresh[self._log(record)].append(record)
        if entered := len(self._work.tick.undelay):
            self._state.growth.entered(entered, self._tail(0))
        size = 0
        while size < TICK_BYTES and (request := arrivals.take()):
            if not isinstance(request, Append):
                self._work.answers.append((request, self._settle(request)))
                size += SETTLE_BYTES * request.settles
            elif refusal := self._accept(request):
                request.refuse(refusal)
            else:
                size += request.size
        self._work.totals.acknowledged += sum([lane.cursor.take_acknowledged() for lane in self._state.lanes.values()])
        self._append_fresh()
        self._remember()
        # What two queues move to each other must not push out each other's records for ever.
        appended = self._work.tick.appends or self._work.tick.delay
        if self._sent or (appended and self._policy.overflow == "DropOldest"):
            Overflow(self._state, self._policy, self._work).run()

    def _log(self, record: Record) -> int:
        """The log that it goes to: where an order is kept there is one."""
        if self._policy.ordered:
            return 0
        log = priority(record)
        return log if record.key is None else self._state.fair.place(log, record.key, self._tail, self._waiting)

    def _tail(self, log: int) -> int:
        """The offset that the next record of a log gets."""
        return self._before(log)[0] + len(self._fresh.get(log, ()))

    def _waiting(self, log: int) -> int:
        """How many records of a log may be delivered."""
        return self._before(log)[1] + len(self._fresh.get(log, ()))

    def _before(self, log: int) -> tuple[int, int]:
        """Of a log without what is fresh: the offset that its next record gets, and how many may be delivered."""
        found = self._logs.get(log)
        if found is None:
            lane = self._state.lanes.get(log)
            found = self._logs[log] = self._state.tail(log), lane.visible if lane else 0
        return found

    def _accept(self, request: Append) -> BrokerError | None:
        """Take an append's records into the tick, those for now into `_fresh`, and its answer; or why it is refused."""
        if request.shards > 1:
            self._split(request.shards)
        if request.sealed:
            if self._takes_batch(request):
                return self._accept_batch(request, request.sealed)
            request.open()
        if request.shards < self._state.growth.count and self._gave_away(request):
            # Even where the sequence is known here: what another shard takes of it may be stored nowhere.
            return KeyMoved()
        known = self._known_of(request)
        new = self._new(request, known)
        if new and (refusal := self._refusal(request, len(new))):
            return refusal
        if new and request.producer is not None:
            self._advance(request, request.producer, new)
        if self._policy.ordered:
            self._work.answers.append((request, self._put_in_order(request, new, known)))
        else:
            for place in new:
                self._store(request.records[place], request.due[place])
            self._work.answers.append((request, None))
        self._work.totals.sent += len(new)
        self._sent |= bool(new) and not request.is_moved
        return None

    def _takes_batch(self, request: Append) -> bool:
        """Whether its batch may be stored as it is: where an order is kept, it waits for none that is delayed, and
        nothing of it is a duplicate."""
        state, hashes = self._state, request.deduplication
        if state.growth.count or (self._policy.ordered and state.delayed.count):
            return False
        return not hashes or (len(set(hashes)) == len(hashes) and not self._known_of(request))

    def _accept_batch(self, request: Append, batch: Sealed) -> BrokerError | None:
        """Take a batch as it is, behind what came before; or why it is refused."""
        if request.producer is not None and request.sequences[0] <= self._state.producers.last(request.producer):
            self._work.answers.append((request, None))
            return None
        if refusal := self._refusal(request, batch.count):
            return refusal
        self._append_fresh()
        if self._policy.ordered:
            batch = self._number(request, batch)
        lane = self._state.lane(0)
        if request.producer is not None:
            self._note_producer(request, request.producer, request.sequences[0], lane.log.tail)
        for part in batch.parts(MAX_BATCH_BYTES):
            placed = part.placed(lane.log.tail, self._state.epoch)
            self._write(lane, Run.sealed(placed.offset, placed), placed.data)
        self._work.answers.append((request, None))
        self._work.totals.sent += batch.count
        self._sent = True
        return None

    def _number(self, request: Append, batch: Sealed) -> Sealed:
        """The batch with numbers; from now on its deduplication ids are known."""
        state = self._state
        batch = batch.numbered(state.next_number)
        if hashes := [hashed for hashed in request.deduplication if hashed]:
            state.deduplication.add_run(hashes, Sent(batch.first_id.to_bytes(16), state.next_number), self._now)
        state.next_number += batch.count
        return batch

    def _known_of(self, request: Append) -> dict[bytes, Sent]:
        """Of an append's deduplication ids, what was sent first under those that are known."""
        hashes = [hashed for hashed in request.deduplication if hashed]
        return self._state.deduplication.known(hashes, self._now) if hashes else {}

    def _new(self, request: Append, known: Iterable[bytes]) -> list[int]:
        """The places of an append's records that are not stored yet, and no duplicates of others."""
        before = -1 if request.producer is None else self._state.producers.last(request.producer)
        new = []
        met = set(known)
        for place, (sequence, hashed) in enumerate(zip(request.sequences, request.deduplication, strict=True)):
            if sequence > before and hashed not in met:
                new.append(place)
            if hashed:
                met.add(hashed)
        return new

    def _gave_away(self, request: Append) -> bool:
        """Whether another shard takes one of its records."""
        hashes = (
            hash_of(record, request.producer, sequence, self._policy.ordered)
            for record, sequence in zip(request.records, request.sequences, strict=True)
        )
        return any(hashed is not None and self._state.growth.gave_away(hashed) for hashed in hashes)

    def _store(self, record: Record, due: int | None) -> None:
        if due is None:
            self._fresh[self._log(record)].append(record)
            return
        # Those due at the same time come in the order of their numbers, by which their batches begin.
        self._work.tick.delay.append((due, encode([record], number(record))))
        self._state.delayed.add(due)

    # Where an order is kept

    def _put_in_order(self, request: Append, new: list[int], known: dict[bytes, Sent]) -> list[Sent]:
        """Take an append's new records, each under its number, and behind those that wait to be due; from now on their
        deduplication ids are known. What all of the append is confirmed with."""
        state, records, due = self._state, request.records, request.due
        sent: list[Sent | None] = [None] * len(records)
        for place in new:
            record = records[place] = numbered(records[place], state.next_number)
            sent[place] = Sent(record.header(ID) or b"", state.next_number)
            state.next_number += 1
            if state.delayed.count:
                due[place] = max(due[place] or 0, state.delayed.last_due)
            self._store(record, due[place])
        first = {hashed: one for hashed, one in zip(request.deduplication, sent, strict=True) if hashed and one}
        if first:
            state.deduplication.add(list(first), list(first.values()), self._now)
        known |= first
        return [
            one or (known[hashed] if hashed in known else _sent(record))
            for one, hashed, record in zip(sent, request.deduplication, records, strict=True)
        ]

    def _remember(self) -> None:
        """Store the deduplication ids that were added."""
        known, tick = self._state.deduplication, self._work.tick
        if added := known.take_added():
            tick.remember = stored.Remember(known.last_bucket, added, KEPT)
            tick.meta["dedup"] = known.first_and_last

    # Appends

    def _refusal(self, request: Append, more: int) -> BrokerError | None:
        """Why there is no room for so many records more. What comes from another shard has been let in before."""
        if self._full:
            return PoolFull()
        if request.is_moved:
            return None
        if not self._remembers_more and any(request.deduplication):
            return QueueFull(
                "The deduplication ids of the last 5 minutes take all of the broker's memory that there is for them."
            )
        policy = self._policy
        if policy.messages is not None and (held := self._held) + more > policy.messages:
            return QueueFull(f"The queue holds {held} messages; limits.messages is {policy.messages}.")
        if policy.bytes is not None and (size := self._size) + request.size > policy.bytes:
            return QueueFull(f"The queue holds about {size} bytes; limits.bytes is {policy.bytes}.")
        return None

    @property
    def _held(self) -> int:
        """Records that count for `limits.messages`: where waiting ones make room, those that cannot."""
        if self._policy.makes_room(self._state.leaving):
            return self._state.in_flight + self._state.delayed.count
        return self._state.held + sum(map(len, self._fresh.values()))

    @property
    def _size(self) -> int:
        """Bytes that count for `limits.bytes`, likewise."""
        if self._policy.makes_room(self._state.leaving):
            return self._state.bytes_in_flight
        return self._state.live_bytes + sum(record.size for fresh in self._fresh.values() for record in fresh)

    def _advance(self, request: Append, producer: int, places: list[int]) -> None:
        """Note how far a producer's sequences are stored, and where the first of these records goes now."""
        before = self._state.producers.last(producer)
        first = next(sequence for sequence in request.sequences if sequence > before)
        place = next((place for place in places if request.due[place] is None), None)
        self._note_producer(
            request, producer, first, self._tail(0 if place is None else self._log(request.records[place]))
        )

    def _note_producer(self, request: Append, producer: int, first: int, offset: int) -> None:
        """That its sequences are stored from `first` to the append's last one, the first of them at that offset."""
        producers, sources = self._state.producers, self._work.tick.sources
        count = self._state.growth.count
        state = producers.advance(producer, request.sequences[-1], offset, self._now, count).encode()
        known = next((source for source in sources if source.producer == producer), None)
        if known:
            known.state = state
        else:
            sources.append(stored.Source(producer, 0, first, state))

    def _append_fresh(self) -> None:
        for log, records in self._fresh.items():
            self._append(self._state.lane(log), records)
        self._fresh.clear()
        self._logs.clear()

    def _append(self, lane: Lane, records: list[Record]) -> None:
        for batch in gather(records):
            run = Run.of(lane.log.tail, batch)
            self._write(lane, run, encode(batch, run.offset, self._state.epoch), last_expiry(batch))

    def _write(self, lane: Lane, run: Run, batch: bytes, expires: int = 0) -> None:
        """Append a run, as that batch."""
        tick, log = self._work.tick, lane.log
        segment = log.append(run.count, len(batch), self._now, expires)
        tick.appends.append(stored.Append(log.number, segment.base, log.tail, batch))
        tick.meta[f"seg:{log.number}:{segment.base}"] = segment.encode()
        tick.meta[f"tail:{log.number}"] = log.tail
        lane.hold(run)

    def _purge(self) -> None:
        # What was sent before the purge goes with it.
        self._append_fresh()
        tick = self._work.tick
        tick.clear_delayed = True
        tick.delay.clear()
        tick.undelay = []
        self._state.delayed = Delayed()
        self._state.growth.purged()
        tick.forget = list(self._state.deduplication.buckets)
        tick.meta["dedup"] = None
        self._state.deduplication = Deduplication()
        for lane in self._state.lanes.values():
            lane.seek(lane.log.tail)

    def _redrive(self, request: StartRedrive | StopRedrive) -> Progress:
        state = self._state
        if isinstance(request, StartRedrive):
            left = state.visible if request.limit is None else min(request.limit, state.visible)
            state.redrive = Redrive.begin(request.target, request.rate, left, self._now, state.redrive)
        elif state.redrive:
            state.redrive.stop()
        if state.redrive:
            self._work.tick.meta["redrive"] = state.redrive.encode()
        return state.progress

    def _stay(self, request: Stay) -> None:
        state = self._state
        stayed = [state.cursor(log).stay(offset, self._now) for log, offset in request.places]
        redriven = [leaving for leaving in stayed if leaving and leaving.reason is Reason.REDRIVE]
        if state.redrive and redriven:
            state.redrive.stayed(len(redriven))
            self._work.tick.meta["redrive"] = state.redrive.encode()

    # Where the queue grows

    def _split(self, count: int) -> None:
        self._state.growth.split(count, self._tail(0), self._state.delayed.count)

    def _recall(self, request: Recall) -> list[Sent | None]:
        self._split(max(request.counts))
        return [
            self._known(request, *asked)
            for asked in zip(request.sequences, request.deduplication, request.counts, strict=True)
        ]

    def _known(self, request: Recall, sequence: int, hashed: bytes | None, count: int) -> Sent | None:
        if hashed and (found := self._state.deduplication.find(hashed, self._now)):
            return found
        if request.producer is not None and sequence <= self._state.producers.last_before(request.producer, count):
            return Sent(b"", 0)
        return None

    # What is not an append

    def _settle(self, request: Request[Any]) -> Any:
        """Do what a request asks of the cursors; its answer."""
        state, now = self._state, self._now
        if isinstance(request, Acknowledge):
            return self._acknowledge(request)
        if isinstance(request, Split):
            self._split(request.count)
            return state.next_number
        if isinstance(request, Settled):
            self._split(request.count)
            return state.growth.is_settled(request.count, state.cursor(0).acknowledged_to)
        if isinstance(request, Recall):
            return self._recall(request)
        if isinstance(request, StartRedrive | StopRedrive):
            return self._redrive(request)
        if isinstance(request, TellRedrives):
            return state.redrives
        if isinstance(request, Count):
            return state.counts
        if isinstance(request, TellConsumer):
            return state.consumers.active
        if isinstance(request, Extend):
            results = settle.extend(state, request, now)
            self._touch_settled(receipt for receipt, _ in request.receipts)
            return results
        if isinstance(request, GiveBack):
            settle.give_back(state, request.receipts, now)
        elif isinstance(request, Purge):
            self._purge()
        elif isinstance(request, CloseConsumer):
            state.consumers.close(request.consumer)
        elif isinstance(request, Rewrite):
            request.apply(state, self._work.tick)
        elif isinstance(request, Left):
            for log, offset in request.places:
                leaving = state.cursor(log).left(offset)
                self._work.totals.dead_lettered += leaving is not None and leaving.reason is not Reason.REDRIVE
            self._touch(request.places)
        elif isinstance(request, Stay):
            self._stay(request)
        return None

    def _acknowledge(self, request: Acknowledge) -> settle.Results:
        results = settle.acknowledge(self._state, request)
        if any(results):
            self._touch_settled(request.receipts)
        elif self._policy.ordered:
            for _, offset, _, count in request.receipts:
                self._state.lanes[0].acknowledged(offset, count)
        return results

    def _touch_settled(self, receipts: Iterable[Receipt]) -> None:
        if self._policy.ordered:
            self._touch((log, place) for log, offset, _, count in receipts for place in range(offset, offset + count))

    def _touch(self, places: Iterable[Place]) -> None:
        """Where an order is kept, what was settled may let others go on."""
        if self._policy.ordered:
            self._state.lanes[0].touch(offset for _, offset in places)


def _sent(record: Record) -> Sent:
    found = record.header(NUMBER)
    return Sent(record.header(ID) or b"", None if found is None else int(found))
