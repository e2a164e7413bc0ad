"""Rewriter: replaces segments of which little is alive by their live records, so that one left alone pins no million.

A segment is read beside the ticks, some batches at a time. What is alive of it is written by one tick, which empties
the segment's key first: whatever dies meanwhile, the one or the other is there as a whole.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any

from quintet_broker.engine.lane import Lane
from quintet_broker.engine.log import SEGMENT_MAX_AGE, SEGMENT_MAX_BYTES, SEGMENT_MIN_BYTES, Reader, Segment
from quintet_broker.engine.record import Record, decode, encode_sparse, gather
from quintet_broker.engine.requests import Request
from quintet_broker.engine.state import State
from quintet_broker.errors import BrokerError, Unavailable
from quintet_broker.store import tick as stored

LOOK_EVERY = 60 * 1000
"""Milliseconds between two looks that find nothing."""
PAUSE = 1000
"""Milliseconds between two segments."""
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

    def __init__(self, at: int, lane: Lane, segment: Segment, batches: list[list[tuple[int, Record]]]) -> None:
        super().__init__(at)
        self.lane = lane
        self.segment = segment
        self.batches = batches
        self.size = sum(record.size for batch in batches for _, record in batch)

    def apply(self, state: State, tick: stored.Tick) -> None:
        lane, segment = self.lane, self.segment
        if state.lanes.get(lane.number) is not lane or not any(one is segment for one in lane.log.segments):
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
        self._look_at = 0
        """Millisecond."""
        self._running = False
        self._unfit: set[tuple[int, int]] = set()
        """(log, base) of segments that are to stay as they are."""

    def next_look(self, state: State) -> int | None:
        """Millisecond at which there may be a segment to rewrite."""
        waits = not self._running and any(
            lane.log.bytes >= LEAST_BYTES and lane.cursor.read_to > lane.log.segments[0].base
            for lane in state.lanes.values()
            if lane.log.segments
        )
        return self._look_at if waits else None

    def wants(self, state: State, now: int) -> bool:
        """Whether there is a segment to rewrite, as far as it is time to look."""
        if self._running or now < self._look_at:
            return False
        if self._first(state, now):
            return True
        self._look_at = now + LOOK_EVERY
        return False

    def _first(self, state: State, now: int) -> tuple[Lane, Segment] | None:
        return next(((lane, one) for lane in state.lanes.values() for one in self._sparse(lane, now)), None)

    def _sparse(self, lane: Lane, now: int) -> Iterator[Segment]:
        """Segments that were read as a whole, last written long ago, and are mostly dead."""
        for segment, end in lane.log.spans():
            if segment.written > now - SEGMENT_MAX_AGE or end > lane.cursor.read_to:
                return
            if segment.bytes < LEAST_BYTES or (lane.number, segment.base) in self._unfit:
                continue
            if SHARE * lane.cursor.alive(segment.base, end) < segment.records:
                yield segment

    async def run(self, state: State, now: int, ask: Callable[[Request[Any]], None]) -> None:
        """Rewrite the segment that `wants` found. Raises Unavailable."""
        if not (found := self._first(state, now)):
            return
        lane, segment = found
        self._running = True
        self._look_at = now + PAUSE
        try:
            live = await self._live(lane, segment)
            if live is None:
                self._unfit.add((lane.number, segment.base))
                return
            rest = iter(live)
            batches = [list(islice(rest, len(batch))) for batch in gather([record for _, record in live])]
            rewrite = Rewrite(now, lane, segment, batches)
            ask(rewrite)
            await rewrite.future
        except Unavailable:
            raise
        except BrokerError:
            # The shard is closed, or somebody else's.
            pass
        finally:
            self._running = False

    async def _live(self, lane: Lane, segment: Segment) -> list[tuple[int, Record]] | None:
        """The live records of a segment, with their offsets; None if they are too large, or a batch is damaged."""
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
