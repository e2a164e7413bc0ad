"""Log: an ordered sequence of batches of records, kept as segments."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from typing import Protocol

from msgspec import Struct

from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import Run, runs

SEGMENT_MAX_BYTES = 16 * 1024 * 1024
SEGMENT_MIN_BYTES = 256 * 1024
SEGMENT_MAX_AGE = 10 * 60 * 1000
"""Milliseconds."""
SEGMENTS_A_LOG = 4
"""A log is cut into at least so many segments once it is large enough: what was read is freed by whole segments,
so a short log keeps little that nobody needs."""


class Reader(Protocol):
    """What a log reads its batches from."""

    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]: ...


class Segment(Struct):
    """A run of batches under one key, from `base` to the next segment's base."""

    base: int
    created: int
    """Milliseconds since 1970."""
    written: int
    """Milliseconds since 1970, of the last append."""
    bytes: int = 0
    records: int = 0
    expires: int = 0
    """Milliseconds since 1970, when the last of its records has expired; 0 where some do not expire."""

    def encode(self) -> str:
        """As `meta` keeps it, under seg:<log>:<base>."""
        return f"{self.created}:{self.written}:{self.bytes}:{self.records}:{self.expires}"


class Log:
    """Segments from oldest to newest, and the offset that the next record gets (`tail`).

    Offsets begin at 0 and grow by one a record; `gaps` are offsets that no record ever had.
    """

    def __init__(self, number: int = 0, tail: int = 0) -> None:
        self.number = number
        self.tail = tail
        self.segments: deque[Segment] = deque()
        self.bytes = 0
        """Stored bytes of all segments; so too `records`."""
        self.records = 0

    @classmethod
    def load(cls, number: int, meta: dict[str, str]) -> "Log":
        """The log as a shard's `meta` describes it."""
        log = cls(number, int(meta.get(f"tail:{number}", 0)))
        prefix = f"seg:{number}:"
        for field in sorted((f for f in meta if f.startswith(prefix)), key=lambda f: int(f[len(prefix) :])):
            segment = Segment(int(field[len(prefix) :]), *map(int, meta[field].split(":")))
            log.segments.append(segment)
            log.bytes += segment.bytes
            log.records += segment.records
        return log

    def append(self, count: int, size: int, now: int, expires: int = 0) -> Segment:
        """Place a batch of `count` records and `size` bytes at the tail; return the segment that takes it.

        `expires` is when all of them have expired, 0 for never.
        """
        if not self.segments or self._finished(self.segments[-1], now):
            self.segments.append(Segment(self.tail, now, now))
        segment = self.segments[-1]
        if segment.records == 0 or segment.expires:
            segment.expires = expires and max(expires, segment.expires)
        segment.written = now
        segment.bytes += size
        segment.records += count
        self.bytes += size
        self.records += count
        self.tail += count
        return segment

    def _finished(self, segment: Segment, now: int) -> bool:
        most = min(SEGMENT_MAX_BYTES, max(SEGMENT_MIN_BYTES, self.bytes // SEGMENTS_A_LOG))
        return segment.bytes >= most or now - segment.created >= SEGMENT_MAX_AGE

    def trim(self, offset: int) -> list[Segment]:
        """Take away the segments that end at or before `offset`, the newest only if it is worth it."""
        taken = []
        while self.segments and self._end(0) <= offset:
            if len(self.segments) == 1 and self.segments[0].bytes < SEGMENT_MIN_BYTES:
                break
            segment = self.segments.popleft()
            self.bytes -= segment.bytes
            self.records -= segment.records
            taken.append(segment)
        return taken

    def spans(self) -> list[tuple[Segment, int]]:
        """The segments, each with the offset at which it ends."""
        ends = [segment.base for segment in islice(self.segments, 1, None)]
        return list(zip(self.segments, [*ends, self.tail], strict=False))

    def end_of(self, segment: Segment) -> int:
        """Where a segment ends; where it begins, if it is not there any more."""
        return next((end for one, end in self.spans() if one is segment), segment.base)

    def rewritten(self, segment: Segment, records: int, size: int) -> None:
        """A segment holds so many records and bytes from now on; without any it is gone."""
        self.records += records - segment.records
        self.bytes += size - segment.bytes
        segment.records, segment.bytes = records, size
        if not records:
            self.segments.remove(segment)

    def written_before(self, time: int) -> int:
        """The offset up to which every record was appended before `time` (milliseconds)."""
        if self.segments and self.segments[0].written >= time:
            # So it is in most ticks.
            return self.segments[0].base
        return self._end_of(takewhile(lambda segment: segment.written < time, self.segments))

    def expired_before(self, now: int) -> int:
        """The offset up to which every record has expired at `now` (milliseconds), as far as segments tell."""
        if self.segments and not self.segments[0].expires:
            return self.segments[0].base
        return self._end_of(takewhile(lambda segment: 0 < segment.expires <= now, self.segments))

    def _end_of(self, first: Iterable[Segment]) -> int:
        """The offset at which so many of the first segments end."""
        count = sum(1 for _ in first)
        return self._end(count - 1)

    def _end(self, index: int) -> int:
        """Where a segment ends; of -1, where the first begins."""
        return self.segments[index + 1].base if index + 1 < len(self.segments) else self.tail

    async def read(self, store: Reader, shard: int, offset: int, batches: int) -> list[Run]:
        """Records from `offset` on, out of at most so many batches of one segment; none at the tail."""
        for segment, end in self.spans():
            start = max(offset, segment.base)
            while start < end:
                found = await store.read(shard, self.number, segment.base, start, batches)
                read = [run for _, batch in found for run in runs(batch) if run.end > start]
                if read:
                    passed = max(start - read[0].offset, 0)
                    return [read[0].part(passed, read[0].count - passed), *read[1:]]
                start = found[-1][0] if found else end
        return []

    async def read_records(self, store: Reader, shard: int, offset: int, batches: int) -> list[tuple[int, Record]]:
        """As `read`, decoded, each with its offset."""
        read = await self.read(store, shard, offset, batches)
        return [pair for run in read for pair in enumerate(run.records, run.offset)]

    async def pick(self, store: Reader, shard: int, offsets: Sequence[int], most_bytes: int) -> list[Record | None]:
        """The records at these offsets, None where one is gone; at the first of them only, one at least, where all
        would take more than about `most_bytes`."""
        wanted = set(offsets)
        found: dict[int, Record] = {}
        picked: list[Record | None] = []
        size = 0
        for offset in offsets:
            if offset not in found:
                if size >= most_bytes:
                    break
                batch = await self.read_records(store, shard, offset, 1)
                found.update((place, record) for place, record in batch if place in wanted)
            record = found.get(offset)
            picked.append(record)
            size += record.size if record else 0
        return picked
