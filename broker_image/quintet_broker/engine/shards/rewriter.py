"""Rewriter: replaces segments of which little is alive by their live records, so that one left alone pins no million.

It waits until a segment is old, since most of what is left is soon acknowledged. Where nothing of a segment is alive,
or the store is full, it does not wait: a full pool could else not be drained beside one record that stays.

A segment is read beside the ticks, some batches at a time. What is alive of it is written by one tick, which empties
the segment's key first: whatever dies meanwhile, the one or the other is there as a whole.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any

from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.lanes.log import SEGMENT_MAX_AGE, SEGMENT_MAX_BYTES, SEGMENT_MIN_BYTES, Reader, Segment
from quintet_broker.engine.records.record import Record, decode, encode_sparse, gather
from quintet_broker.engine.requests import Request
from quintet_broker.engine.state.state import State
from quintet_broker.errors import BrokerError, Unavailable
from quintet_broker.store import tick as stored

LOOK_EVERY = 60 * 1000
"""Milliseconds between two looks that find nothing."""
PAUSE = 1000
"""Milliseconds between two segments, and between two looks while the store is full."""
LEAST_BYTES = SEGMENT_MIN_BYTES
"""A smaller segment stays as it is."""
MOST_BYTES = SEGMENT_MAX_BYTES // 4
"""A segment whose live records take more stays as it is: one tick writes them."""
SHARE = 4
"""Of so many records less than one is alive."""
READ_BYTES = 1024 * 1024
"""About what is read at once."""
READ_BATCHES = 512


class Rewrite(Request[None]):
    """Let a segment hold these batches only. It holds for the lane that it was made for: another owner, or the same
    one after a lost write, may know other records to be alive."""

    def __init__(
        self, at: int, lane: Lane, segment: Segment, records: int, batches: list[list[tuple[int, Record]]]
    ) -> None:
        """`records`: how many the segment held when it was read."""
        super().__init__(at)
        self.lane = lane
        self.segment = segment
        self.records = records
        self.batches = batches
        self.size = sum(record.size for batch in batches for _, record in batch)

    def apply(self, state: State, tick: stored.Tick) -> None:
        lane, segment = self.lane, self.segment
        there = state.lanes.get(lane.number) is lane and any(one is segment for one in lane.log.segments)
        if not there or segment.records != self.records:
            return
        data = [encode_sparse(batch, state.epoch) for batch in self.batches]
        lane.log.rewritten(segment, sum(map(len, self.batches)), sum(map(len, data)))
        key = (lane.number, segment.base)
        meta = f"seg:{lane.number}:{segment.base}"
        if not self.batches:
            tick.unlink.append(key)
            tick.meta[meta] = None
            return
        tick.renew.append(key)
        for batch, written in zip(self.batches, data, strict=True):
            tick.appends.append(stored.Append(lane.number, segment.base, batch[-1][0] + 1, written))
        tick.meta[meta] = segment.encode()


class Rewriter:
    """Looks after the segments of one shard, and rewrites one at a time."""

    def __init__(self, shard: int, store: Reader) -> None:
        self._shard = shard
        self._store = store
        self._looked_at = 0
        """Millisecond."""
        self._found = True
        """Whether that look found a segment."""
        self._running = False
        self._unfit: set[tuple[int, int]] = set()
        """(log, base) of segments that are to stay as they are."""

    def next_look(self, state: State, full: bool) -> int | None:
        """Millisecond at which there may be a segment to rewrite."""
        waits = not self._running and any(
            lane.log.bytes >= LEAST_BYTES and lane.cursor.read_to > lane.log.segments[0].base
            for lane in state.lanes.values()
            if lane.log.segments
        )
        return self._look_at(full) if waits else None

    def _look_at(self, full: bool) -> int:
        return self._looked_at + (PAUSE if full or self._found else LOOK_EVERY)

    def wants(self, state: State, now: int, full: bool) -> bool:
        """Whether there is a segment to rewrite, as far as it is time to look. `full`: the store takes no appends."""
        if self._running or now < self._look_at(full):
            return False
        self._looked_at = now
        self._found = self._first(state, now, full) is not None
        return self._found

    def _first(self, state: State, now: int, full: bool) -> tuple[Lane, Segment] | None:
        return next(((lane, one) for lane in state.lanes.values() for one in self._sparse(lane, now, full)), None)

    def _sparse(self, lane: Lane, now: int, full: bool) -> Iterator[Segment]:
        """Segments that were read as a whole and are mostly dead, those that are dead as a whole first."""
        mostly = []
        for segment, end in lane.log.spans():
            is_old = segment.written <= now - SEGMENT_MAX_AGE
            if end > lane.cursor.read_to or (end == lane.log.tail and not is_old):
                # It is still read, or written to.
                break
            alive = lane.cursor.alive(segment.base, end)
            if alive == 0:
                yield segment
            elif (full or is_old) and SHARE * alive < segment.records and segment.bytes >= LEAST_BYTES:
                mostly.append(segment)
        yield from (segment for segment in mostly if (lane.number, segment.base) not in self._unfit)

    async def run(self, state: State, now: int, full: bool, ask: Callable[[Request[Any]], None]) -> None:
        """Rewrite what `wants` found: all segments that are dead as a whole, or one other. Raises Unavailable."""
        self._running = True
        try:
            while found := self._first(state, now, full):
                lane, segment = found
                await self._rewrite(lane, segment, now, ask)
                if segment.records:
                    return
        except Unavailable:
            raise
        except BrokerError:
            # The shard is closed, or somebody else's.
            pass
        finally:
            self._running = False

    async def _rewrite(self, lane: Lane, segment: Segment, now: int, ask: Callable[[Request[Any]], None]) -> None:
        records = segment.records
        live = await self._live(lane, segment)
        if live is None:
            self._unfit.add((lane.number, segment.base))
            return
        rest = iter(live)
        batches = [list(islice(rest, len(batch))) for batch in gather([record for _, record in live])]
        rewrite = Rewrite(now, lane, segment, records, batches)
        ask(rewrite)
        await rewrite.future

    async def _live(self, lane: Lane, segment: Segment) -> list[tuple[int, Record]] | None:
        """The live records of a segment, with their offsets; None if they are too large, or a batch is damaged."""
        if not lane.cursor.alive(segment.base, lane.log.end_of(segment)):
            return []
        live: list[tuple[int, Record]] = []
        size = 0
        start = segment.base
        async for end, batch in self._batches(lane, segment):
            if lane.cursor.alive(start, end):
                try:
                    records = decode(batch)
                except ValueError:
                    return None
                found = [pair for pair in records if not lane.cursor.is_acknowledged(pair[0])]
                size += sum(record.size for _, record in found)
                live += found
            if size > MOST_BYTES:
                return None
            start = end
        return live

    async def _batches(self, lane: Lane, segment: Segment) -> AsyncIterator[tuple[int, bytes]]:
        """The batches of a segment, each with the offset behind it."""
        count, offset = 1, segment.base
        while found := await self._store.read(self._shard, lane.number, segment.base, offset, count):
            for pair in found:
                yield pair
            offset = found[-1][0]
            fitting = count * READ_BYTES // sum(len(batch) for _, batch in found)
            count = max(1, min(fitting, 2 * count, READ_BATCHES))
