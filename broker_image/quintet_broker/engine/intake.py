"""Intake: what arrived at a shard goes into one tick. Pure; `now` is an argument."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from quintet_broker.engine.arrivals import Arrivals
from quintet_broker.engine.delayed import Delayed
from quintet_broker.engine.headers import priority
from quintet_broker.engine.lane import Lane
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.record import Record, encode, gather
from quintet_broker.engine.requests import (
    Acknowledge,
    Append,
    Count,
    Counts,
    Extend,
    GiveBack,
    Left,
    Purge,
    Request,
    Stay,
)
from quintet_broker.engine.state import State
from quintet_broker.engine.work import Work
from quintet_broker.errors import BrokerError, PoolFull, QueueFull
from quintet_broker.store import tick as stored

TICK_BYTES = 4 * 1024 * 1024
"""A tick takes no more requests once it appends this much."""


class Intake:
    """Turns requests, in their order, into changes of the shard's state and into the write that stores them."""

    def __init__(self, state: State, policy: Policy, work: Work, now: int, full: bool) -> None:
        self._state = state
        self._policy = policy
        self._work = work
        self._now = now
        self._full = full
        """Whether the store takes no appends."""
        self._fresh: defaultdict[int, list[Record]] = defaultdict(list)
        """By log, records taken and not appended yet: those of one tick share batches."""

    def take(self, arrivals: Arrivals) -> None:
        """Take delayed records that are due, then what arrived, as much as one tick should write."""
        self._work.tick.undelay, due = self._state.delayed.take()
        for record in due:
            self._fresh[priority(record)].append(record)
        size = 0
        while size < TICK_BYTES and (request := arrivals.take()):
            if not isinstance(request, Append):
                self._work.answers.append((request, self._settle(request)))
            elif refusal := self._accept(request):
                request.refuse(refusal)
            else:
                self._work.answers.append((request, None))
                size += request.size
        self._append_fresh()

    def _accept(self, request: Append) -> BrokerError | None:
        """Take an append's records into the tick, those for now into `_fresh`; or why it is refused."""
        before = -1 if request.producer is None else self._state.producers.last(request.producer)
        records = [
            (record, due)
            for record, due, sequence in zip(request.records, request.due, request.sequences, strict=True)
            if sequence > before
        ]
        if not records:
            return None
        if refusal := self._refusal(request, len(records)):
            return refusal
        if request.producer is not None:
            self._advance(request, request.producer)
        for record, due in records:
            if due is None:
                self._fresh[priority(record)].append(record)
                continue
            self._work.tick.delay.append((due, encode([record])))
            self._state.delayed.add(due)
        self._work.totals.sent += len(records)
        return None

    def _refusal(self, request: Append, more: int) -> BrokerError | None:
        """Why there is no room for so many records more. What comes from another shard has been let in before."""
        if self._full:
            return PoolFull()
        if request.is_moved:
            return None
        policy, state = self._policy, self._state
        if policy.messages is not None:
            held = state.visible + state.in_flight + state.delayed.count + sum(map(len, self._fresh.values()))
            if held + more > policy.messages:
                return QueueFull(f"The queue holds {held} messages; limits.messages is {policy.messages}.")
        if policy.bytes is not None:
            size = state.live_bytes + sum(record.size for fresh in self._fresh.values() for record in fresh)
            if size + request.size > policy.bytes:
                return QueueFull(f"The queue holds about {size} bytes; limits.bytes is {policy.bytes}.")
        return None

    def _advance(self, request: Append, producer: int) -> None:
        """Note how far a producer's sequences are stored."""
        producers, sources = self._state.producers, self._work.tick.sources
        before = producers.last(producer)
        first = next(sequence for sequence in request.sequences if sequence > before)
        log = priority(request.records[0])
        offset = self._state.tail(log) + len(self._fresh.get(log, ()))
        state = producers.advance(producer, request.sequences[-1], offset, self._now).encode()
        known = next((source for source in sources if source.producer == producer), None)
        if known:
            known.state = state
        else:
            sources.append(stored.Source(producer, 0, first, state))

    def _append_fresh(self) -> None:
        for log, records in self._fresh.items():
            self._append(self._state.lane(log), records)
        self._fresh.clear()

    def _append(self, lane: Lane, records: list[Record]) -> None:
        tick, log = self._work.tick, lane.log
        for batch in gather(records):
            base = log.tail
            data = encode(batch, base, self._state.epoch)
            segment = log.append(len(batch), len(data), self._now)
            tick.appends.append(stored.Append(log.number, segment.base, log.tail, data))
            tick.meta[f"seg:{log.number}:{segment.base}"] = segment.encode()
            lane.ahead.hold(base, batch)
        tick.meta[f"tail:{log.number}"] = log.tail

    def _purge(self) -> None:
        # What was sent before the purge goes with it.
        self._append_fresh()
        tick = self._work.tick
        tick.clear_delayed = True
        tick.delay.clear()
        tick.undelay = []
        self._state.delayed = Delayed()
        for lane in self._state.lanes.values():
            lane.cursor.seek(lane.log.tail)

    def _settle(self, request: Request[Any]) -> Counts | list[BrokerError | None] | None:
        """Do what a request asks of the cursors; its answer."""
        state, now = self._state, self._now
        if isinstance(request, Count):
            return state.counts
        if isinstance(request, Acknowledge):
            before = state.in_flight + state.due
            results = [
                _refusal(state.cursor(log).acknowledge, offset, nonce) for log, offset, nonce in request.receipts
            ]
            self._work.totals.acknowledged += before - state.in_flight - state.due
            return results
        if isinstance(request, Extend):
            return [
                _refusal(state.cursor(log).extend, offset, nonce, now + hidden)
                for (log, offset, nonce), hidden in request.receipts
            ]
        if isinstance(request, GiveBack):
            for log, offset, nonce in request.receipts:
                state.cursor(log).give_back(offset, nonce, now)
        elif isinstance(request, Purge):
            self._purge()
        elif isinstance(request, Left):
            self._work.totals.dead_lettered += len(request.places)
            for log, offset in request.places:
                state.cursor(log).left(offset)
        elif isinstance(request, Stay):
            for log, offset in request.places:
                state.cursor(log).stay(offset, now)
        return None


def _refusal(verb: Callable[..., None], *arguments: int) -> BrokerError | None:
    try:
        verb(*arguments)
    except BrokerError as error:
        return error
    return None
