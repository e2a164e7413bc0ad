"""GroupAhead: what is held decoded of a lane that keeps the order of message groups."""

import math

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.groups import Groups
from quintet_broker.engine.lanes.log import Log, Reader
from quintet_broker.engine.lanes.parked import Batch
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES, ReadAhead
from quintet_broker.engine.records.group import Group
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import Run, records_of
from quintet_broker.engine.records.sealed import Sealed

READY_AT_ONCE = 50
"""Groups whose waiting records are read together, and looked for by a claim at a time."""
WAITING_AT_ONCE = 500
"""Records that wait and are read together; others of the same batches are kept too."""
WAITING_BYTES = 2 * READ_AHEAD_BYTES
"""About how much is held of records that wait."""
PARKED_AT_ONCE = 4
"""Batches that wait whole and are read together."""
LEARNED_AT_ONCE = 5000
"""Held records whose groups are read together."""


class GroupAhead(ReadAhead):
    """Holds unread records, and of those that wait the ones whose groups are ready; others as far as there is room."""

    def __init__(self, log: Log, cursor: Cursor, groups: Groups) -> None:
        super().__init__(log, cursor, groups, cursor)
        self.groups = groups
        self._waiting: dict[int, Record] = {}
        """By offset."""
        self._waiting_bytes = 0

    def __bool__(self) -> bool:
        groups = self.groups
        return groups.is_complete and bool(self._unread or groups.ready(1) or groups.parked.goes_on)

    def waiting(self, offset: int) -> Record | None:
        """A record that waits, if it is held, and stays so."""
        return self._waiting.get(offset)

    def keep_waiting(self, offset: int, record: Record) -> None:
        """Hold one that is passed over, if there is room: it need not be read again."""
        if not self._is_crowded:
            self._waiting[offset] = record
            self._waiting_bytes += record.size

    def take_waiting(self, offset: int) -> Record | None:
        """A record that waits, if it is held."""
        record = self._waiting.pop(offset, None)
        if record:
            self._waiting_bytes -= record.size
        return record

    def park(self, offset: int, batch: Sealed) -> None:
        """A batch that is passed over waits whole, and is held if there is room."""
        self.groups.parked.add(offset, batch.groups, None if self._is_crowded else batch)

    def unpark(self, end: float = math.inf) -> None:
        """What waits in batches that begin before an offset does so record by record."""
        for batch in self.groups.unpark(end):
            if batch.sealed:
                for offset, record in enumerate(records_of(batch.sealed.data), batch.offset):
                    self.keep_waiting(offset, record)

    def deliver_parked(self, batch: Batch, count: int) -> None:
        """So many of the first records of a batch that waits are in flight."""
        rest = batch.sealed.part(count, batch.count - count) if batch.sealed and count < batch.count else None
        self.groups.deliver_parked(batch, count)
        if rest:
            self.groups.parked.keep(batch, rest)

    def next_unmet(self, most: int) -> Run | None:
        """Take the next records, up to so many, whose offsets follow each other, where the cursor has read none of
        them."""
        if self._unread and self._unread[0].offset + self._taken >= self._cursor.read_to:
            return self.next_run(most)
        return None

    def hold(self, run: Run) -> None:
        if self.groups.is_complete:
            super().hold(run)

    def let_go(self) -> None:
        super().let_go()
        self._let_waiting_go()
        self.groups.parked.let_go()

    def _let_waiting_go(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    # Reading

    def _wants_due(self) -> bool:
        return not self.groups.is_complete or bool(self._lacking() or self.groups.parked.lacking(1))

    def _lacking(self) -> list[int]:
        """The groups that are ready and whose next record is to be read: for who wants others whose next ones are
        held, none while there is no room."""
        lacking: dict[Group, None] = {}
        for selector in self.groups.wanted:
            following = {group: self.groups.next_waiting(group) for group in self.groups.ready(READY_AT_ONCE, selector)}
            if self._is_crowded and any(offset in self._waiting for offset in following.values()):
                continue
            lacking |= {
                group: None for group, offset in following.items() if offset is not None and offset not in self._waiting
            }
        return list(lacking)

    @property
    def _is_crowded(self) -> bool:
        return self._waiting_bytes + self.groups.parked.bytes >= WAITING_BYTES

    def _wants_unread(self, confirmed: int) -> bool:
        return self.groups.is_complete and self.groups.looks_further and super()._wants_unread(confirmed)

    async def _fetch_due(self, store: Reader, shard: int, confirmed: int) -> list[range]:
        if not self.groups.is_complete:
            return await self._learn(store, shard, confirmed)
        if self.groups.parked.lacking(1):
            await self._fetch_parked(store, shard)
        return await self._fetch_waiting(store, shard, confirmed)

    async def _learn(self, store: Reader, shard: int, confirmed: int) -> list[range]:
        some = self.groups.unknown[:LEARNED_AT_ONCE]
        records = await self._log.pick(store, shard, some, READ_AHEAD_BYTES)
        gone = []
        for offset, record in zip(some, records, strict=False):
            if record:
                self.groups.learn(offset, record)
            elif self._drop_gone(offset, confirmed):
                gone.append(range(offset, offset + 1))
        self.groups.learned(len(records))
        return gone

    async def _fetch_waiting(self, store: Reader, shard: int, confirmed: int) -> list[range]:
        gone = []
        found: dict[int, Record] = {}
        size = 0
        for offset in self._wanted():
            if offset in self._waiting or offset in found:
                continue
            if size >= READ_AHEAD_BYTES:
                break
            batch = dict(await self._log.read_records(store, shard, offset, 1))
            waiting = {place: record for place, record in batch.items() if self.groups.waits(place)}
            size += sum(record.size for record in waiting.values())
            found |= waiting
            if offset not in batch and self._drop_gone(offset, confirmed):
                gone.append(range(offset, offset + 1))
        self._hold_waiting(found)
        return gone

    async def _fetch_parked(self, store: Reader, shard: int) -> None:
        """Of what waits whole the next ones; where the first is not found so any more, it and those before it wait
        record by record."""
        parked = self.groups.parked
        [first] = parked.lacking(1)
        found = await self._log.read(store, shard, first.offset, PARKED_AT_ONCE)
        read = {run.offset: run for run in found}
        for batch in parked.lacking(PARKED_AT_ONCE):
            run = read.get(batch.offset)
            if run and run.batch and run.count >= batch.count:
                parked.keep(batch, run.part(0, batch.count).batch)
        if parked.lacking(1) == [first]:
            self.unpark(first.end)

    def _wanted(self) -> list[int]:
        """The next records of the groups that lack them, and some behind these; the first is some group's next one."""
        lacking = self._lacking()
        each = max(WAITING_AT_ONCE // max(len(lacking), 1), 1)
        return sorted(offset for group in lacking for offset in self.groups.some_waiting(group, each))

    def _hold_waiting(self, found: dict[int, Record]) -> None:
        """Only once all is read: so that one receive may get all of it."""
        if self._is_crowded:
            self._let_waiting_go()
        for offset, record in found.items():
            if offset not in self._waiting and self.groups.waits(offset):
                self._waiting[offset] = record
                self._waiting_bytes += record.size

    def _drop_gone(self, offset: int, confirmed: int) -> bool:
        """Settle a record that is gone from the store, unless it is settled already or leaving, or not stored yet."""
        if offset >= confirmed or self._cursor.is_acknowledged(offset) or offset in self._cursor.leaving:
            return False
        self._cursor.drop(offset)
        self.groups.touch(offset)
        return True
