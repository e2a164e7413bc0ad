"""Groups: the order within each message group of a lane. Pure."""

import math
from bisect import insort
from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.parked import Batch, Parked
from quintet_broker.engine.records.group import Group, group_of
from quintet_broker.engine.records.record import Record

LOOK_AHEAD = 120_000
"""Records, held or waiting: with so many, none is looked for behind them."""


class Groups:
    """What is known of the records that a cursor has read.

    A record is *held* while it is in flight or leaving. Its group is *busy* meanwhile: what is met of that waits, as
    does what is due again. A group that is not busy and has records that wait is *ready*.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._looked_to = cursor.acknowledged_to
        """Every record below is known here, or settled; from there on some are, after a change of owner."""
        is_new = next(cursor.held(), None) is None and not cursor.due
        self._unknown: list[int] | None = [] if is_new else None
        self._held: dict[int, Group] = {}
        """By offset; so too `_waits`."""
        self._waits: dict[int, Group] = {}
        self._busy: Counter[Group] = Counter()
        """How many records of each are held."""
        self._lines: dict[Group, deque[int]] = {}
        """The offsets that wait, in order, the first of which does; behind it may be some that do so no more."""
        self._ready: dict[str | None, dict[Group, None]] = {None: {}}
        """The groups that are ready, the longest first; by selector those whose first record it is still to see."""
        self.parked = Parked()
        self.wanted: list[str | None] = []
        """For which selectors records that wait are to be read; None for those who take any."""

    # After a change of owner

    @property
    def is_complete(self) -> bool:
        """Whether all groups are known of which records are held. Until then nothing is delivered."""
        return self._unknown == []

    @property
    def unknown(self) -> list[int]:
        """The offsets of held records whose groups are still to be learned."""
        if self._unknown is None:
            self._unknown = sorted(self._cursor.held())
        return self._unknown

    def learn(self, offset: int, record: Record) -> None:
        """A record that was held, unless it was settled meanwhile, or is due and will be looked at anew."""
        if not self._cursor.is_acknowledged(offset) and not self._cursor.is_due(offset):
            self._hold(offset, group_of(record))

    def learned(self, count: int) -> None:
        """So many of the first unknown ones are known."""
        del self.unknown[:count]
        if self.is_complete:
            self._look_from(self._looked_to)

    # What is looked at

    @property
    def looks_further(self) -> bool:
        return self._known < LOOK_AHEAD or self._looked_to < self._cursor.read_to

    @property
    def room(self) -> int:
        """How many records may be looked at before `looks_further` is asked again: one, where it is true."""
        return max(LOOK_AHEAD - self._known, 1)

    @property
    def _known(self) -> int:
        return len(self._held) + len(self._waits) + self.parked.records

    def is_unread(self, offset: int) -> bool:
        """Whether it is still to be looked at."""
        cursor = self._cursor
        if offset < self._looked_to or offset in self._waits:
            return False
        return offset >= cursor.read_to or cursor.is_due(offset)

    def first_unread(self, offset: int) -> int:
        """The first record from `offset` on that is still to be looked at."""
        cursor = self._cursor
        return cursor.over_gaps(cursor.next_due(max(offset, self._looked_to, cursor.acknowledged_to)))

    def looked_at(self, offset: int) -> None:
        self._look_from(offset + 1)

    def _look_from(self, offset: int) -> None:
        while (offset := self._cursor.next_due(offset)) in self._waits:
            offset += 1
        self._looked_to = offset

    def is_free(self, group: Group) -> bool:
        """Whether the next record that is looked at may be delivered, if it is of this group."""
        return group not in self._busy and group not in self._lines and group not in self.parked

    def has_line(self, group: Group) -> bool:
        """Whether records wait that come before the next one that is looked at."""
        return group in self._lines or group in self.parked

    # Changes

    def deliver(self, offset: int, group: Group) -> None:
        """A record is in flight, the first that waited or the next that was looked at."""
        self._wait_no_more(offset)
        self._hold(offset, group)

    def deliver_next(self, offset: int, group: Group) -> None:
        """A record is in flight that was looked at now, and did not wait."""
        self._held[offset] = group
        self._busy[group] += 1
        self._is_not_ready(group)

    def deliver_all(self, offset: int, groups: Sequence[Group]) -> None:
        """As `deliver_next`, of records from `offset` on."""
        self._held.update(enumerate(groups, offset))
        self._busy.update(groups)
        for group in set(groups):
            self._is_not_ready(group)

    def next_parked(self, mine: set[Group]) -> Batch | None:
        """What may be delivered of what is parked, to who gets those groups already, behind what it got of them."""
        if not self.parked:
            return None
        first = self.parked.first
        if first.sealed and mine.issuperset(first.blocked) and self._lines.keys().isdisjoint(first.blocked):
            return first
        return self.parked.free

    def deliver_parked(self, batch: Batch, count: int) -> None:
        """So many of the first records of a batch are in flight."""
        offset, groups = batch.offset, batch.groups[:count]
        self.deliver_all(offset, groups)
        self.parked.take(batch, count, self._busy.__contains__)

    def unpark(self, end: float = math.inf) -> list[Batch]:
        """What waits in batches that begin before an offset does so record by record; these batches."""
        batches = self.parked.take_before(end)
        for batch in batches:
            self._wait_one_by_one(batch)
        return batches

    def _wait_one_by_one(self, batch: Batch) -> None:
        for offset, group in enumerate(batch.groups, batch.offset):
            self.wait(offset, group)

    def wait(self, offset: int, group: Group) -> None:
        """A record is due that may not be delivered yet."""
        if group in self.parked and not self.parked.hold_back(group, offset):
            self.unpark(offset)
        self._waits[offset] = group
        line = self._lines.setdefault(group, deque())
        if line and offset < line[-1]:
            insort(line, offset)
        else:
            line.append(offset)
        if line[0] == offset:
            self._has_new_first(group)

    def touch(self, offset: int) -> bool:
        """The cursor may have changed what a record is; whether it is to be looked at anew, and all behind it."""
        if self.parked.holds(offset):
            self.unpark(offset + 1)
        if self._cursor.is_acknowledged(offset):
            if (group := self._wait_no_more(offset)) is not None:
                self._has_new_first(group)
            self._let_go(offset)
        elif self._cursor.is_due(offset):
            if (group := self._let_go(offset)) is not None:
                self.wait(offset, group)
            elif self.is_complete and offset not in self._waits:
                # It left before anybody looked at it, and could not go.
                self.unpark()
                self._looked_to = min(self._looked_to, offset)
                return True
        elif (group := self._wait_no_more(offset)) is not None:
            self._hold(offset, group)
        elif offset not in self._held and self._is_in_flight(offset) and offset not in self.unknown:
            # It was due when the owner changed, and its receipt was extended before anybody looked at it.
            self.unknown.append(offset)
        return False

    def _is_in_flight(self, offset: int) -> bool:
        found = self._cursor.look(offset)
        return found is not None and found[2]

    def settle(self, offset: int, count: int) -> None:
        """So many records from one on were acknowledged."""
        held, busy = self._held, self._busy
        for settled in range(offset, offset + count):
            group = held.pop(settled, None)
            if group is None:
                self.touch(settled)
            elif busy[group] > 1:
                busy[group] -= 1
            else:
                del busy[group]
                self._has_new_first(group)

    def touch_all(self) -> None:
        """The cursor was moved."""
        for batch in self.parked.take_before(math.inf):
            if batch.end > self._cursor.acknowledged_to:
                self._wait_one_by_one(batch)
        for offset in [*self._held, *self._waits]:
            self.touch(offset)

    def _wait_no_more(self, offset: int) -> Group | None:
        """The group of a record, if it waited."""
        group = self._waits.pop(offset, None)
        if group is not None:
            line = self._lines[group]
            while line and line[0] not in self._waits:
                line.popleft()
            if not line:
                del self._lines[group]
                self._is_not_ready(group)
        return group

    def _hold(self, offset: int, group: Group) -> None:
        if offset not in self._held:
            self.deliver_next(offset, group)

    def _let_go(self, offset: int) -> Group | None:
        group = self._held.pop(offset, None)
        if group is not None:
            self._busy[group] -= 1
            if not self._busy[group]:
                del self._busy[group]
                self._has_new_first(group)
        return group

    def _has_new_first(self, group: Group) -> None:
        """Another record of a group may be the first that waits."""
        if group in self._busy:
            return
        if group in self._lines:
            for ready in self._ready.values():
                ready[group] = None
        else:
            self.parked.freed(group)

    def _is_not_ready(self, group: Group) -> None:
        for ready in self._ready.values():
            ready.pop(group, None)

    # What waits

    def waits(self, offset: int) -> bool:
        return offset in self._waits

    def ready(self, most: int, selector: str | None = None) -> list[Group]:
        """Up to so many groups, the longest ready first, whose first record the selector has not refused."""
        if selector not in self._ready:
            self._ready[selector] = dict(self._ready[None])
        return list(islice(self._ready[selector], most))

    def refuse(self, group: Group, selector: str) -> None:
        """The first record of a group is none for a selector."""
        self._ready[selector].pop(group, None)

    def forget_others(self) -> None:
        """Of selectors that nobody wants, forget what they have seen."""
        for selector in [one for one in self._ready if one is not None and one not in self.wanted]:
            del self._ready[selector]

    def next_waiting(self, group: Group) -> int | None:
        """The first record of a group that waits, if all before it are known."""
        line = self._lines.get(group)
        if line and line[0] < self._looked_to and self._cursor.is_due(line[0]):
            return line[0]
        return None

    def some_waiting(self, group: Group, most: int) -> list[int]:
        """Up to so many offsets of a group that wait, in order."""
        return [offset for offset in islice(self._lines.get(group, ()), most) if offset in self._waits]
