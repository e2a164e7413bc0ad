"""OrderedClaim: gives one receive its records, in the order of each message group."""

import math

from quintet_broker.engine.claims.choosy_claim import ChoosyClaim
from quintet_broker.engine.lanes.group_ahead import READY_AT_ONCE, GroupAhead
from quintet_broker.engine.lanes.groups import Groups
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.records.group import Group, group_of
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import Run
from quintet_broker.engine.records.sealed import Sealed


class OrderedClaim(ChoosyClaim):
    """As a claim of what has no order, but it passes over the records of groups that are busy with other receives, and
    those of groups whose first record its selector does not match.

    One receive may get several records of a group, one after the other.
    """

    def take(self) -> None:
        """Claim as much as the receive may have: of what waits, where its group is free by now, then of what was not
        looked at before."""
        lane = self._state.lanes[0]
        assert isinstance(lane.ahead, GroupAhead)
        self._mine: set[Group] = set()
        self._waited: list[tuple[int, Record]] = []
        """Taken of what waits, and not delivered yet: offset and record."""
        self._take_passed_over(lane, lane.ahead)
        self._look_at_unread(lane, lane.ahead)
        self._deliver_run(lane)
        # There may be more of what waits, now that all before it are known.
        self._take_passed_over(lane, lane.ahead)

    def _take_passed_over(self, lane: Lane, ahead: GroupAhead) -> None:
        self._take_waiting(lane, ahead)
        self._take_parked(lane, ahead)

    def _take_waiting(self, lane: Lane, ahead: GroupAhead) -> None:
        while True:
            passed = [self._take_group(lane, ahead, g) for g in ahead.groups.ready(READY_AT_ONCE, self._text)]
            if not any(passed):
                break
        self._deliver_waited(lane)

    def _take_parked(self, lane: Lane, ahead: GroupAhead) -> None:
        """Take batches that wait whole; where a part of one is to go on, it and those before it wait record by record,
        as all do for a selector."""
        parked = ahead.groups.parked
        while parked and not self._ends:
            if self._selector:
                self._unpark(lane, ahead, math.inf)
                continue
            batch, mixed = ahead.groups.next_parked(self._mine), parked.mixed
            if batch is None or batch.sealed is None or (mixed and mixed.offset < batch.offset):
                if mixed is None:
                    return
                self._unpark(lane, ahead, mixed.end)
            elif self._is_too_old(batch.sealed):
                self._unpark(lane, ahead, batch.end)
            else:
                count = min(batch.count, self._limit - self.taken)
                self._deliver(lane, [Run.sealed(batch.offset, batch.sealed).part(0, count)])
                self._mine.update(batch.groups[:count])
                ahead.deliver_parked(batch, count)

    def _unpark(self, lane: Lane, ahead: GroupAhead, end: float) -> None:
        """Let what begins before an offset wait record by record: one batch, and more as far as the tick has time."""
        parked = ahead.groups.parked
        ahead.unpark(parked.first.end)
        while parked and parked.first.offset < end:
            if self._allowance.is_used_up:
                self.goes_on = True
                return
            ahead.unpark(parked.first.end)
        self._take_waiting(lane, ahead)

    def _deliver_waited(self, lane: Lane) -> None:
        """Group by group, what was taken lies here and there; neighbours are delivered together all the same."""
        self._waited.sort(key=lambda pair: pair[0])
        records: list[Record] = []
        start = end = 0
        for offset, record in self._waited:
            if records and (offset != start + len(records) or offset >= end):
                self._deliver_records(lane, start, records)
                records = []
            if not records:
                start, end = offset, lane.cursor.range_end(offset)
            records.append(record)
        if records:
            self._deliver_records(lane, start, records)
        self._waited.clear()

    def _take_group(self, lane: Lane, ahead: GroupAhead, group: Group) -> bool:
        """Take what waits of a group, as long as it matches; whether its first record does not, or some are expired:
        then it may be the next one's turn."""
        groups = ahead.groups
        passed = False
        while not self._ends and (offset := groups.next_waiting(group)) is not None:
            record = ahead.waiting(offset)
            if record is None:
                # It is to be read, and those behind it come after it.
                break
            is_expired = self._policy.is_expired(record, self._now)
            if not is_expired and not self._matches(lane, offset, record):
                return self._refuse(groups, group)
            ahead.take_waiting(offset)
            if is_expired:
                self._drop(lane, offset, record)
                passed = True
                continue
            self._waited.append((offset, record))
            self._mine.add(group)
            groups.deliver(offset, group)
        return passed

    def _refuse(self, groups: Groups, group: Group) -> bool:
        """Whether the group was there for others to take."""
        if group in self._mine or self._text is None:
            return False
        groups.refuse(group, self._text)
        return True

    @property
    def _ends(self) -> bool:
        return self._is_served or self.goes_on

    @property
    def _is_served(self) -> bool:
        return self.taken + len(self._run) + len(self._waited) >= self._limit

    def _may_take(self, lane: Lane, offset: int, record: Record) -> bool:
        return self._policy.is_expired(record, self._now) or self._matches(lane, offset, record)

    def _look_at_unread(self, lane: Lane, ahead: GroupAhead) -> None:
        groups = ahead.groups
        while not self._ends and self._may_leave(lane) and groups.looks_further:
            if self._selector is None and (run := ahead.next_unmet(self._most_looked_at(lane, groups))):
                self._look_at_run(lane, ahead, run)
            elif pair := ahead.next_unread():
                self._look_at(lane, ahead, *pair)
            else:
                break

    def _most_looked_at(self, lane: Lane, groups: Groups) -> int:
        """How many records may be looked at together, as each may be taken, and each may be found expired."""
        may_leave = self._policy.in_flight - len(lane.cursor.leaving)
        return min(self._limit - self.taken - len(self._run), may_leave, groups.room)

    def _look_at_run(self, lane: Lane, ahead: GroupAhead, run: Run) -> None:
        """Records that nobody has met."""
        groups, mine = ahead.groups, self._mine
        groups.looked_at(run.end - 1)
        if run.batch and self._take_batch(lane, ahead, run, run.batch):
            return
        for offset, record in enumerate(run.records, run.offset):
            group = group_of(record)
            if not self._is_next(groups, group):
                self._pass_over(lane, offset)
                groups.wait(offset, group)
                ahead.keep_waiting(offset, record)
            elif self._policy.is_expired(record, self._now):
                self._deliver_run(lane)
                self._drop(lane, offset, record)
            else:
                self._add_next(lane, offset, record)
                mine.add(group)
                groups.deliver_next(offset, group)

    def _take_batch(self, lane: Lane, ahead: GroupAhead, run: Run, batch: Sealed) -> bool:
        """Deliver a batch as it is, if each of its records may be delivered, or pass it over whole, if none may.

        Returns whether it was either.
        """
        groups, found = ahead.groups, set(batch.groups)
        following = [self._is_next(groups, group) for group in found]
        if self._is_too_old(batch) or any(following) != all(following):
            return False
        self._deliver_run(lane)
        if all(following):
            self._deliver(lane, [run])
            groups.deliver_all(run.offset, batch.groups)
            self._mine |= found
        else:
            lane.cursor.pass_over(run.offset, run.count)
            ahead.park(run.offset, batch)
        return True

    def _is_next(self, groups: Groups, group: Group) -> bool:
        """Whether the next record that is looked at may be delivered, if it is of this group."""
        return groups.is_free(group) or (group in self._mine and not groups.has_line(group))

    def _look_at(self, lane: Lane, ahead: GroupAhead, offset: int, record: Record) -> None:
        groups, group = ahead.groups, group_of(record)
        groups.looked_at(offset)
        is_next = self._is_next(groups, group)
        if is_next and self._may_take(lane, offset, record):
            self._take_one(lane, ahead, offset, record)
            return
        self._pass_over(lane, offset)
        groups.wait(offset, group)
        ahead.keep_waiting(offset, record)
        if is_next:
            self._refuse(groups, group)

    def _may_leave(self, lane: Lane) -> bool:
        """Whether one more may be found expired, and leave: no more of them than may be in flight."""
        return len(lane.cursor.leaving) < self._policy.in_flight

    def _take_one(self, lane: Lane, ahead: GroupAhead, offset: int, record: Record) -> None:
        if self._policy.is_expired(record, self._now):
            self._deliver_run(lane)
            self._drop(lane, offset, record)
            return
        self._add(lane, offset, record)
        group = group_of(record)
        self._mine.add(group)
        ahead.groups.deliver(offset, group)
