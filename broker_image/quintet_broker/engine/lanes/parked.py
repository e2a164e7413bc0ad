"""Parked: batches that wait whole, as each of their message groups waits for something before them. Pure."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from quintet_broker.engine.records.group import Group
from quintet_broker.engine.records.sealed import Sealed


class Batch:
    """Records of consecutive offsets that wait together."""

    __slots__ = ("blocked", "groups", "names", "offset", "sealed")

    def __init__(self, offset: int, groups: Sequence[Group], sealed: Sealed | None) -> None:
        self.offset = offset
        """Of the first."""
        self.groups = groups
        """Of each record its own."""
        self.names = set(groups)
        self.blocked = set(groups)
        """Those of which something comes before it that is held or waits."""
        self.sealed = sealed
        """The records; None where they are to be read."""

    @property
    def count(self) -> int:
        return len(self.groups)

    @property
    def end(self) -> int:
        return self.offset + len(self.groups)


class Parked:
    """In the order of their offsets. Of each group all that is parked comes behind all else that waits."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._lines: dict[Group, deque[Batch]] = {}
        """Those that have records of a group, in order."""
        self._freed: dict[Batch, None] = {}
        """Those of which some groups are free, the longest ago first."""
        self.records = 0
        self.bytes = 0
        """Of those that are not to be read."""

    def __bool__(self) -> bool:
        return bool(self._batches)

    def __contains__(self, group: Group) -> bool:
        return group in self._lines

    def holds(self, offset: int) -> bool:
        place = bisect_right(self._batches, offset, key=_offset) - 1
        return place >= 0 and offset < self._batches[place].end

    @property
    def free(self) -> Batch | None:
        """One that may be delivered."""
        return next((batch for batch in self._freed if not batch.blocked), None)

    @property
    def mixed(self) -> Batch | None:
        """One of which a part may be delivered."""
        return next((batch for batch in self._freed if batch.blocked), None)

    @property
    def goes_on(self) -> bool:
        """Whether one, or a part of one, may be delivered."""
        return bool(self._freed)

    @property
    def first(self) -> Batch:
        """Where there is one."""
        return self._batches[0]

    # Changes

    def add(self, offset: int, groups: Sequence[Group], sealed: Sealed | None) -> None:
        """Records behind all others, each group of which waits for something."""
        batch = Batch(offset, groups, sealed)
        self._batches.append(batch)
        for group in batch.names:
            self._lines.setdefault(group, deque()).append(batch)
        self.records += batch.count
        self.bytes += sealed.size if sealed else 0

    def freed(self, group: Group) -> None:
        """Nothing of a group is held, and nothing else waits."""
        if line := self._lines.get(group):
            line[0].blocked.discard(group)
            self._freed[line[0]] = None

    def hold_back(self, group: Group, offset: int) -> bool:
        """Let what is parked of a group wait for a record, if that comes before it; whether it does."""
        batch = self._lines[group][0]
        if offset > batch.offset:
            return False
        batch.blocked.add(group)
        if len(batch.blocked) == len(batch.names):
            self._freed.pop(batch, None)
        return True

    def take(self, batch: Batch, count: int, is_busy: Callable[[Group], bool]) -> None:
        """So many of its first records are delivered, which was the next one of all its groups."""
        self._freed.pop(batch, None)
        self.keep(batch, None)
        self.records -= count
        left = set(batch.groups[count:])
        self._leave_lines(batch.names - left)
        if not left:
            self._batches.remove(batch)
            return
        batch.offset, batch.groups, batch.names = batch.offset + count, batch.groups[count:], left
        batch.blocked = {group for group in left if is_busy(group)}
        if len(batch.blocked) < len(left):
            self._freed[batch] = None

    def keep(self, batch: Batch, sealed: Sealed | None) -> None:
        """Hold its records, or none of them."""
        self.bytes -= batch.sealed.size if batch.sealed else 0
        self.bytes += sealed.size if sealed else 0
        batch.sealed = sealed

    def let_go(self) -> None:
        """Hold no records: they can be read again."""
        for batch in self._batches:
            self.keep(batch, None)

    def lacking(self, most: int) -> list[Batch]:
        """If the next one is to be read: it, and up to so many behind it that are, too."""
        first = self.free
        if first is None or first.sealed:
            return []
        place = bisect_right(self._batches, first.offset, key=_offset) - 1
        return [batch for batch in self._batches[place : place + most] if not batch.sealed]

    def take_before(self, end: float) -> list[Batch]:
        """Those that begin before an offset; they are parked no more."""
        count = bisect_left(self._batches, end, key=_offset)
        batches = self._batches[:count]
        del self._batches[:count]
        for batch in batches:
            self._freed.pop(batch, None)
            self._leave_lines(batch.names)
            self.records -= batch.count
            self.bytes -= batch.sealed.size if batch.sealed else 0
        return batches

    def _leave_lines(self, groups: Iterable[Group]) -> None:
        """The first batch of each of these has none of its records any more."""
        for group in groups:
            line = self._lines[group]
            line.popleft()
            if not line:
                del self._lines[group]


def _offset(batch: Batch) -> int:
    return batch.offset
