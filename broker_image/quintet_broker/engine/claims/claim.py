"""Claim: gives one receive its records. Pure; time and nonce are arguments."""

from collections.abc import Sequence

from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.records.reason import Reason
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import Run
from quintet_broker.engine.records.sealed import Sealed
from quintet_broker.engine.requests import Delivery, Receive
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.state import State

LONG = 16
"""Turns of other lanes: after so many that one is the next."""


class Claim:
    """The deliveries of one receive, out of what was read ahead; records found expired go on the way."""

    def __init__(self, receive: Receive, state: State, policy: Policy, now: int, nonce: int) -> None:
        self.deliveries: list[Delivery] = []
        self.taken = 0
        """Records delivered."""
        self.expired = 0
        """Records that were dropped."""
        self._room_before: int | None = None
        """What `_room` would be without the deliveries, as long as all of them were unread."""
        self._limit = min(receive.limit, policy.in_flight - state.in_flight)
        self._deadline = now + receive.visibility
        self._state = state
        self._policy = policy
        self._now = now
        self._nonce = nonce

    def take(self) -> None:
        """Claim as much as the receive may have, of the highest priority first. What is still to be read of a priority
        is waited for before a lower one gets its turn."""
        for lanes in self._state.priorities:
            if len(lanes) == 1:
                self._take_from(lanes[0], self._left)
            else:
                self._take_in_turn(lanes)
            if not self._left or any(self._lacks_next(lane) for lane in lanes):
                break

    def _holds_some(self, lane: Lane) -> bool:
        """Whether anything of a lane is read ahead."""
        return bool(lane.ahead)

    def _lacks_next(self, lane: Lane) -> bool:
        """Whether what comes next of a lane is still to be read."""
        return lane.lacks_next

    @property
    def _left(self) -> int:
        return max(self._limit - self.taken, 0)

    def _take_in_turn(self, lanes: list[Lane]) -> None:
        """Lanes of which fewer records are in flight come first, and of these the one that had no turn for longest;
        before all of them those that had none for long."""
        waiting = [lane for lane in lanes if self._holds_some(lane)]
        while self._left and waiting:
            waiting = self._in_turn(waiting)
            in_flight = [lane.cursor.in_flight for lane in waiting]
            share = -(-self._left // len(waiting))
            for lane, before, following in zip(waiting[:], in_flight, [*in_flight[1:], 0], strict=True):
                if not self._left:
                    return
                most = min(max(following - before, share), self._left)
                if self._take_from(lane, most) < most:
                    waiting.remove(lane)
                lane.turn = self._state.next_turn()

    def _in_turn(self, lanes: list[Lane]) -> list[Lane]:
        since = self._state.turn - LONG
        return sorted(lanes, key=lambda lane: (lane.turn > since, lane.cursor.in_flight, lane.turn))

    def _take_from(self, lane: Lane, most: int) -> int:
        """Claim up to so many records of a lane, what is due again before what is unread; how many it had."""
        before = self.taken
        self._take_due(lane, before + most)
        self._take_unread(lane, before + most)
        return self.taken - before

    def _take_due(self, lane: Lane, end: int) -> None:
        while self.taken < end and (pair := lane.ahead.next_due()):
            offset, record = pair
            if self._policy.is_expired(record, self._now):
                self._drop(lane, offset, record)
            else:
                self._deliver_records(lane, offset, [record])

    def _take_unread(self, lane: Lane, end: int) -> None:
        """Runs that follow each other are delivered together."""
        together: list[Run] = []
        taken = 0
        while (most := min(end - self.taken, self._room) - taken) > 0 and (run := lane.ahead.next_run(most)):
            for some, is_expired in self._by_expiry(run):
                if together and (is_expired or some.offset != together[-1].end):
                    self._deliver(lane, together)
                    together, taken = [], 0
                if is_expired:
                    for offset, record in enumerate(some.records, some.offset):
                        self._drop(lane, offset, record)
                else:
                    together.append(some)
                    taken += some.count
        if together:
            self._deliver(lane, together)

    def _by_expiry(self, run: Run) -> list[tuple[Run, bool]]:
        """Parts, of each of which all records are expired, or none is."""
        if run.batch:
            return [(run, self._is_too_old(run.batch))]
        expired = [self._policy.is_expired(record, self._now) for record in run.decoded]
        if True not in expired:
            return [(run, False)]
        return [(run.part(place, 1), is_expired) for place, is_expired in enumerate(expired)]

    def _is_too_old(self, batch: Sealed) -> bool:
        return batch.timestamp + self._policy.retention <= self._now

    @property
    def _room(self) -> int:
        """For unread records."""
        if self._room_before is None:
            self._room_before = self._most_remembered - self._state.remembered + self.taken
        return self._room_before - self.taken

    @property
    def _most_remembered(self) -> int:
        """What was delivered in vain is remembered until it is settled or left: no more of it than may be in flight."""
        return self._policy.in_flight

    def _deliver_records(self, lane: Lane, offset: int, records: Sequence[Record]) -> None:
        """As `_deliver`, of records from `offset` on."""
        self._deliver(lane, [Run(offset, len(records), 0, None, records)])

    def _deliver(self, lane: Lane, together: Sequence[Run]) -> None:
        """Runs that follow each other: all unread, or all delivered together before."""
        offset, count = together[0].offset, sum([run.count for run in together])
        if not lane.cursor.is_unread(offset):
            self._room_before = None
        found = lane.cursor.deliver(offset, count, self._now, self._deadline, self._nonce)
        self.taken += count
        self.deliveries += [
            Delivery(
                lane.number,
                run.offset,
                self._nonce,
                run.count,
                found.deliveries,
                found.first_received,
                self._deadline,
                run.decoded,
                run.batch.data if run.batch else None,
            )
            for run in together
        ]

    def _drop(self, lane: Lane, offset: int, record: Record) -> None:
        self._room_before = None
        target = self._policy.expired_to
        if target is not None and not self._policy.is_too_old(record, self._now):
            self._state.leave(lane, offset, target, Reason.EXPIRED)
            return
        lane.drop(offset)
        self.expired += 1
