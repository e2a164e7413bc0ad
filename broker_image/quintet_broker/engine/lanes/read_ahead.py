"""ReadAhead: the records of a log that are held before a consumer gets them.

Which they should be is read off the cursor: those that are due again, and the next unread ones.
"""

from collections import deque
from typing import Protocol

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.log import Log, Reader
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import Run

READ_AHEAD_BYTES = 1024 * 1024
"""About how much is held of records that are due, and of unread ones."""
READ_AHEAD_BATCHES = 16
"""Batches of unread records that are read at once, at most: as many as are expected to fit."""
DUE_AT_ONCE = 500
"""Records that are due and read at once."""


class Unread(Protocol):
    """Knows which records were not looked at yet: a cursor, or what looks through one in an order of its own."""

    def is_unread(self, offset: int) -> bool: ...
    def first_unread(self, offset: int) -> int:
        """The first one from `offset` on."""


class Due(Protocol):
    """Knows which records are to be looked at again."""

    @property
    def due(self) -> int:
        """About how many they are: none where it is 0."""

    def is_due(self, offset: int) -> bool: ...
    def due_offsets(self, count: int) -> list[int]:
        """Of up to so many."""


class ReadAhead:
    """What is held of one log for one cursor. It may hold records that are settled since: they are passed over."""

    def __init__(self, log: Log, cursor: Cursor, place: Unread, again: Due, most_bytes: int = READ_AHEAD_BYTES) -> None:
        self._log = log
        self._cursor = cursor
        self._place = place
        self._again = again
        self._most_bytes = most_bytes
        self.most_kept = most_bytes
        """Bytes up to which what is appended is held too, so that it need not be read."""
        self._due: deque[tuple[int, Record]] = deque()
        self._unread: deque[Run] = deque()
        self._taken = 0
        """How many of the first of them."""
        self._unread_bytes = 0
        self._held_to = 0
        """Every unread record below is in `_unread`."""
        self._batches = 4
        """To be read at once. As large as they may be, four are 1 MiB."""

    # For a claim

    def __bool__(self) -> bool:
        """Whether anything is held."""
        return bool(self._due or self._unread)

    def next_due(self) -> tuple[int, Record] | None:
        """Take the next record that is due again."""
        while self._due:
            pair = self._due.popleft()
            if self._again.is_due(pair[0]):
                return pair
        return None

    def next_run(self, most: int) -> Run | None:
        """Take the next unread records, up to so many, whose offsets follow each other."""
        while self._unread:
            run = self._unread[0]
            place = self._place.first_unread(run.offset + self._taken) - run.offset
            count = min(most, run.count - place)
            self._take(place + count)
            if count > 0:
                return run.part(place, count)
        return None

    def next_unread(self) -> tuple[int, Record] | None:
        """Take the next unread record."""
        while self._unread:
            run = self._unread[0]
            if run.batch:
                run = self._open_first()
            place = self._taken
            self._take(place + 1)
            if self._place.is_unread(run.offset + place):
                return run.offset + place, run.decoded[place]
        return None

    def put_back(self, offset: int, record: Record) -> None:
        """The one that was taken last is the next again."""
        if self._taken:
            self._taken -= 1
        else:
            self._unread.appendleft(Run.of(offset, [record]))
            self._unread_bytes += self._unread[0].size

    def _open_first(self) -> Run:
        before = self._unread[0]
        run = self._unread[0] = before.opened()
        self._unread_bytes += run.size - before.size
        return run

    def _take(self, end: int) -> None:
        """What comes before this place of the first run is taken."""
        run = self._unread[0]
        self._taken = end
        if end >= run.count:
            self._taken = 0
            self._unread_bytes -= run.size
            self._unread.popleft()

    # Holding

    def hold(self, run: Run) -> None:
        """Keep what is being appended, if nothing between is missing and there is room."""
        if self._unread_bytes < self.most_kept and self._unread_from == run.offset:
            self._hold(run)

    @property
    def held_to(self) -> int:
        """Every unread record below was held, since all was let go."""
        return self._held_to

    def let_go(self) -> None:
        """Hold nothing; it can be read again."""
        self._due.clear()
        self._unread.clear()
        self._taken = 0
        self._unread_bytes = 0
        self._held_to = 0

    def _hold(self, run: Run) -> None:
        self._unread.append(run)
        self._unread_bytes += run.size
        self._held_to = run.end

    @property
    def _unread_from(self) -> int:
        return self._place.first_unread(self._held_to)

    # Reading

    def wants_fetch(self, confirmed: int) -> bool:
        """Whether more is to be read for consumers, every record below `confirmed` being stored."""
        return self._wants_due() or self._wants_unread(confirmed)

    def lacks_next(self, confirmed: int) -> bool:
        """Whether nothing is held of what comes next, and it is to be read."""
        return self._wants_due() or (not self._unread and self._unread_from < confirmed)

    def _wants_due(self) -> bool:
        return self._again.due > 0 and not self._due

    def _wants_unread(self, confirmed: int) -> bool:
        return self._unread_bytes < self._most_bytes // 2 and self._unread_from < confirmed

    async def fetch(self, store: Reader, shard: int, confirmed: int) -> list[range]:
        """Read what is wanted; the offsets of records that are gone from the store, and will not be delivered.

        Raises Unavailable.
        """
        gone: list[range] = []
        if self._wants_due():
            gone += await self._fetch_due(store, shard, confirmed)
        if self._wants_unread(confirmed):
            gone += await self._fetch_unread(store, shard, confirmed)
        return gone

    async def _fetch_due(self, store: Reader, shard: int, confirmed: int) -> list[range]:
        offsets = self._again.due_offsets(DUE_AT_ONCE)
        records = await self._log.pick(store, shard, offsets, self._most_bytes)
        picked = list(zip(offsets, records, strict=False))
        self._due.extend((offset, record) for offset, record in picked if record is not None)
        missing = [offset for offset, record in picked if record is None]
        # One may be due before it is stored.
        gone = [offset for offset in missing if offset < confirmed and self._cursor.is_due(offset)]
        for offset in gone:
            self._cursor.drop(offset)
        return [range(offset, offset + 1) for offset in gone]

    async def _fetch_unread(self, store: Reader, shard: int, confirmed: int) -> list[range]:
        start = self._unread_from
        runs = await self._log.read(store, shard, start, self._batches)
        if start != self._unread_from:
            return []
        if runs:
            before = self._unread_bytes
            for run in runs:
                self._hold(run)
            fitting = self._batches * self._most_bytes // (self._unread_bytes - before)
            self._batches = max(1, min(fitting, 2 * self._batches, READ_AHEAD_BATCHES))
            return []
        self._held_to = confirmed
        return [range(start, confirmed)]
