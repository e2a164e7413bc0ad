"""Intake: what arrived at a shard goes into one tick. Pure; `now` is an argument."""

from collections.abc import Callable
from typing import Any

from quintet_broker.engine.arrivals import Arrivals
from quintet_broker.engine.delayed import Delayed
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.record import Record, encode, gather
from quintet_broker.engine.requests import Acknowledge, Append, Extend, GiveBack, Left, Purge, Request, Stay
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
        self._fresh: list[Record] = []
        """Records taken and not appended yet: those of one tick share batches."""

    def take(self, arrivals: Arrivals) -> None:
        """Take delayed records that are due, then what arrived, as much as one tick should write."""
        self._work.tick.undelay, self._fresh = self._state.delayed.take()
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
                self._fresh.append(record)
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
            held = state.visible + state.cursor.in_flight + state.delayed.count + len(self._fresh)
            if held + more > policy.messages:
                return QueueFull(f"The queue holds {held} messages; limits.messages is {policy.messages}.")
        if policy.bytes is not None:
            size = state.live_bytes + sum(record.size for record in self._fresh)
            if size + request.size > policy.bytes:
                return QueueFull(f"The queue holds about {size} bytes; limits.bytes is {policy.bytes}.")
        return None

    def _advance(self, request: Append, producer: int) -> None:
        """Note how far a producer's sequences are stored."""
        producers, sources = self._state.producers, self._work.tick.sources
        before = producers.last(producer)
        first = next(sequence for sequence in request.sequences if sequence > before)
        offset = self._state.log.tail + len(self._fresh)
        state = producers.advance(producer, request.sequences[-1], offset, self._now).encode()
        known = next((source for source in sources if source.producer == producer), None)
        if known:
            known.state = state
        else:
            sources.append(stored.Source(producer, 0, first, state))

    def _append_fresh(self) -> None:
        if not self._fresh:
            return
        state, tick = self._state, self._work.tick
        for batch in gather(self._fresh):
            base = state.log.tail
            data = encode(batch, base, state.epoch)
            segment = state.log.append(len(batch), len(data), self._now)
            tick.appends.append(stored.Append(0, segment.base, state.log.tail, data))
            tick.meta[f"seg:0:{segment.base}"] = segment.encode()
            state.ahead.hold(base, batch)
        tick.meta["tail:0"] = state.log.tail
        self._fresh = []

    def _purge(self) -> None:
        # What was sent before the purge goes with it.
        self._append_fresh()
        tick = self._work.tick
        tick.clear_delayed = True
        tick.delay.clear()
        tick.undelay = []
        self._state.delayed = Delayed()
        self._state.cursor.seek(self._state.log.tail)

    def _settle(self, request: Request[Any]) -> list[BrokerError | None] | None:
        """Do what a request asks of the cursor; its answer."""
        cursor, totals = self._state.cursor, self._work.totals
        if isinstance(request, Acknowledge):
            before = cursor.in_flight + cursor.due
            results = [_refusal(cursor.acknowledge, offset, nonce) for offset, nonce in request.receipts]
            totals.acknowledged += before - cursor.in_flight - cursor.due
            return results
        if isinstance(request, Extend):
            return [
                _refusal(cursor.extend, offset, nonce, self._now + hidden) for offset, nonce, hidden in request.receipts
            ]
        if isinstance(request, GiveBack):
            for offset, nonce in request.receipts:
                cursor.give_back(offset, nonce, self._now)
        elif isinstance(request, Purge):
            self._purge()
        elif isinstance(request, Left):
            totals.dead_lettered += len(request.offsets)
            for offset in request.offsets:
                cursor.left(offset)
        elif isinstance(request, Stay):
            for offset in request.offsets:
                cursor.stay(offset, self._now)
        return None


def _refusal(verb: Callable[..., None], *arguments: int) -> BrokerError | None:
    try:
        verb(*arguments)
    except BrokerError as error:
        return error
    return None
