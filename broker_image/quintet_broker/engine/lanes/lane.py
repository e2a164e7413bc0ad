"""Lane: the records of one priority in a shard, or some of them."""

from collections.abc import Iterable, Iterator

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.fair import PRIORITIES
from quintet_broker.engine.lanes.group_ahead import GroupAhead
from quintet_broker.engine.lanes.groups import Groups
from quintet_broker.engine.lanes.log import Log
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES, ReadAhead
from quintet_broker.engine.lanes.selection import AHEAD_BYTES, Selections
from quintet_broker.engine.records.run import Run
from quintet_broker.store.tick import Taken, Tick

DUE_AT_ONCE = 500
"""Records that are due and looked up together, to be taken away."""


class Lane:
    """A log, the cursor over it, and what is read ahead of it. `fair.py` tells what its number says."""

    def __init__(self, log: Log, cursor: Cursor, ordered: bool = False) -> None:
        """`ordered`: it keeps the order of message groups."""
        self.log = log
        self.cursor = cursor
        self.groups = Groups(cursor) if ordered else None
        self.ahead = (
            GroupAhead(log, cursor, self.groups)
            if self.groups
            else ReadAhead(log, cursor, cursor, cursor, _most_bytes(log))
        )
        self.selections = Selections(log, cursor)
        self.turn = 0
        """Of the claims that took from it, the last one."""
        self.confirmed = log.tail
        """Every record below is stored."""

    @classmethod
    def begin(cls, number: int, offset: int, ordered: bool = False) -> "Lane":
        """A lane that nothing was sent to, whose first record gets `offset`."""
        return cls(Log(number, offset), Cursor.load(number, {}, [(0, offset)] if offset else []), ordered)

    @classmethod
    def load(cls, number: int, taken: Taken, ordered: bool = False) -> "Lane":
        """A lane as the shard's new owner found it."""
        prefix = f"gap:{number}:"
        gaps = [(int(field[len(prefix) :]), int(end)) for field, end in taken.meta.items() if field.startswith(prefix)]
        return cls(Log.load(number, taken.meta), Cursor.load(number, taken.cursor, gaps), ordered)

    @property
    def number(self) -> int:
        return self.log.number

    @property
    def visible(self) -> int:
        """Records that may be delivered now."""
        return self.cursor.unread(self.log.tail) + self.cursor.due

    @property
    def held(self) -> int:
        """Records that may be delivered now or are in flight."""
        return self.visible + self.cursor.in_flight

    def bytes_of(self, records: int) -> int:
        """About what so many of its records take: their share of the log's."""
        return self.log.bytes * records // self.log.records if self.log.records else 0

    @property
    def is_untouched(self) -> bool:
        """Whether no consumer has any of its records, and none is on its way elsewhere."""
        return not (self.cursor.in_flight or self.cursor.leaving)

    def next_end(self, retention: int) -> int | None:
        """Millisecond at which a segment may be taken away for its age."""
        if not self.log.segments or self.log.tail <= self.cursor.acknowledged_to:
            return None
        first = self.log.segments[0]
        end = first.written + retention + 1
        return min(end, first.expires) if first.expires and self.is_untouched else end

    def hold(self, run: Run) -> None:
        """Keep what is being appended for those that come to it next."""
        self.ahead.hold(run)
        for selection in self.selections:
            selection.ahead.hold(run)

    def keep(self, most: int) -> None:
        """Hold up to so many bytes of what is appended, or as many as are read at once."""
        self.ahead.most_kept = max(most, _most_bytes(self.log))

    @property
    def wants_fetch(self) -> bool:
        """Whether more is to be read for consumers."""
        return self.ahead.wants_fetch(self.confirmed)

    @property
    def lacks_next(self) -> bool:
        """Whether what comes next is still to be read."""
        return self.ahead.lacks_next(self.confirmed)

    def drop_before(self, offset: int) -> int:
        """Drop every record below `offset`; how many there were."""
        if offset <= self.cursor.acknowledged_to:
            return 0
        before = self.held
        self.seek(offset)
        return before - self.held

    def waiting(self, end: int | None = None) -> Iterator[int]:
        """The offsets (below `end`) of the records that no consumer has, about the oldest first.

        Each is to be taken away before the next is asked for.
        """
        end = self.log.tail if end is None else end
        while due := self.cursor.due_offsets(DUE_AT_ONCE, end):
            yield from due
        while (offset := self.cursor.over_gaps(self.cursor.read_to)) < end:
            yield offset

    def acknowledged(self, offset: int, count: int) -> None:
        """So many records from one on were."""
        if self.groups:
            self.groups.settle(offset, count)

    def drop(self, offset: int) -> None:
        """Drop one that waits."""
        self.cursor.drop(offset)
        self.touch([offset])

    def seek(self, offset: int) -> None:
        """Drop every record below `offset`."""
        self.cursor.seek(offset)
        if self.groups:
            self.groups.touch_all()

    def touch(self, offsets: Iterable[int]) -> None:
        """The cursor may have changed what these records are."""
        self.selections.touch(offsets)
        if self.groups:
            looks_anew = [self.groups.touch(offset) for offset in offsets]
            if any(looks_anew):
                self.ahead.let_go()

    def trim(self, tick: Tick) -> None:
        """Let the tick free the segments that are acknowledged as a whole."""
        for segment in self.log.trim(self.cursor.acknowledged_to):
            tick.unlink.append((self.number, segment.base))
            tick.meta[f"seg:{self.number}:{segment.base}"] = None
        gaps = self.cursor.gaps
        while gaps and gaps[0][1] <= self.cursor.acknowledged_to:
            start, _ = gaps.pop(0)
            tick.meta[f"gap:{self.number}:{start}"] = None


def _most_bytes(log: Log) -> int:
    """What is held of a priority in all may be a few times what is held of its first log."""
    return READ_AHEAD_BYTES if log.number < PRIORITIES else AHEAD_BYTES
