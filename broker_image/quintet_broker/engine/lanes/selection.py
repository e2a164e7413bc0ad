"""Selection: how far the records of a lane were looked at for one selector. Pure."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.log import Log
from quintet_broker.engine.lanes.read_ahead import ReadAhead

LOOK_AHEAD = 120_000
"""Records that nobody had, and that were passed over: with so many, none is looked for behind them."""
SELECTORS = 100
"""Whose place in a lane is remembered: those that were used last."""
AHEAD_BYTES = 256 * 1024
"""About how much is held for each."""


class Selection:
    """What a selector has not seen yet: records that are unread or due, each once, and those that are due again.

    What it does not match is passed over: it becomes due, and is there for all others.
    """

    def __init__(self, log: Log, cursor: Cursor) -> None:
        self._cursor = cursor
        self._looked_to = cursor.acknowledged_to
        self._due: dict[int, None] = {}
        """Offsets below `_looked_to` that became due since they were looked at, and some that are so no more."""
        self.ahead = ReadAhead(log, cursor, self, self, AHEAD_BYTES)
        self.used = True
        """Lately."""

    @property
    def looks_further(self) -> bool:
        """Whether more may be passed over."""
        return bool(self._due) or self._looked_to < self._cursor.read_to or self._cursor.passed_over < LOOK_AHEAD

    def is_unread(self, offset: int) -> bool:
        """Whether it is still to be looked at, and was not before."""
        return offset >= self._looked_to and (offset >= self._cursor.read_to or self._cursor.is_due(offset))

    def first_unread(self, offset: int) -> int:
        cursor = self._cursor
        return cursor.over_gaps(cursor.next_due(max(offset, self._looked_to, cursor.acknowledged_to)))

    @property
    def due(self) -> int:
        return len(self._due)

    def is_due(self, offset: int) -> bool:
        return offset in self._due and self._cursor.is_due(offset)

    def due_offsets(self, count: int) -> list[int]:
        found: list[int] = []
        for offset in list(self._due):
            if len(found) >= count:
                break
            if self._cursor.is_due(offset):
                found.append(offset)
            else:
                del self._due[offset]
        return found

    def looked_at(self, offset: int) -> None:
        if offset in self._due:
            # Those between it and `_looked_to` were not looked at.
            del self._due[offset]
            return
        self._looked_to = max(self._looked_to, offset + 1)

    def touch(self, offset: int) -> None:
        """A record may be due again."""
        if offset < max(self._looked_to, self.ahead.held_to) and self._cursor.is_due(offset):
            self._due[offset] = None

    def wants_fetch(self, confirmed: int) -> bool:
        return self.looks_further and self.ahead.wants_fetch(confirmed)

    def lacks_next(self, confirmed: int) -> bool:
        """Whether what is to be looked at next is still to be read."""
        return self.looks_further and self.ahead.lacks_next(confirmed)


class Selections:
    """Those of one lane, by the text of the selector."""

    def __init__(self, log: Log, cursor: Cursor) -> None:
        self._log = log
        self._cursor = cursor
        self._some: OrderedDict[str, Selection] = OrderedDict()

    def __iter__(self) -> Iterator[Selection]:
        return iter(self._some.values())

    @property
    def hold_some(self) -> bool:
        """Whether anything is read ahead for one."""
        return any(selection.ahead for selection in self)

    def use(self, selector: str) -> Selection:
        """The place of a selector, at the beginning where it has none."""
        found = self._some.get(selector)
        if found is None:
            found = self._some[selector] = Selection(self._log, self._cursor)
            if len(self._some) > SELECTORS:
                self._some.popitem(last=False)
        self._some.move_to_end(selector)
        found.used = True
        return found

    def find(self, selector: str) -> Selection | None:
        return self._some.get(selector)

    def touch(self, offsets: Iterable[int]) -> None:
        """Records may be due again."""
        if self._some:
            for offset in offsets:
                for selection in self._some.values():
                    selection.touch(offset)

    def let_go(self) -> None:
        """Of what was not used since the last call, keep nothing read ahead."""
        for selection in self._some.values():
            if not selection.used:
                selection.ahead.let_go()
            selection.used = False
