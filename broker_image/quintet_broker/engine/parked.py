"""Parked: batches that wait whole, as each of their message groups waits for something before them. Pure."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence

from quintet_broker.engine.sealed import Sealed

Group = int


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
    def is_mixed(self) -> bool:
        """Whether a part of one may be delivered."""
        return any(batch.blocked for batch in self._freed)

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

    def take(self, batch: Batch, count: int, is_busy: Callable[[Group], bool]) -> None:
        """So many of its first records are delivered, which was the next one of all its groups."""
        self._freed.pop(batch, None)
        self.keep(batch, None)
        self.records -= count
        left = set(batch.groups[count:])
        for group in batch.names - left:
            line = self._lines[group]
            line.popleft()
            if not line:
                del self._lines[group]
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

    def take_all(self) -> list[Batch]:
        """All of them; they are parked no more."""
        batches, self._batches = self._batches, []
        self._lines.clear()
        self._freed.clear()
        self.records = self.bytes = 0
        return batches


def _offset(batch: Batch) -> int:
    return batch.offset
