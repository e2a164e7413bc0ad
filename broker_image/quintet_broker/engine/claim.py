"""Claim: gives one receive its records. Pure; time and nonce are arguments."""

from quintet_broker.engine.lane import Lane
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.reason import Reason
from quintet_broker.engine.record import Record
from quintet_broker.engine.requests import Delivery, Receive
from quintet_broker.engine.state import State


class Claim:
    """The deliveries of one receive, out of what was read ahead; records found expired go on the way."""

    def __init__(self, receive: Receive, state: State, policy: Policy, now: int, nonce: int) -> None:
        self.deliveries: list[Delivery] = []
        self.expired = 0
        """Records that were dropped."""
        self._limit = min(receive.limit, policy.in_flight - state.in_flight)
        self._deadline = now + receive.visibility
        self._state = state
        self._policy = policy
        self._now = now
        self._nonce = nonce

    def take(self) -> None:
        """Claim as much as the receive may have: of the highest priority first, and of that what is due again before
        what is unread. What is still to be read of a priority is waited for before a lower one gets its turn."""
        for lane in self._state.lanes.values():
            self._take_due(lane)
            self._take_unread(lane)
            if len(self.deliveries) >= self._limit or lane.lacks_next:
                break

    def _take_due(self, lane: Lane) -> None:
        while len(self.deliveries) < self._limit and (pair := lane.ahead.next_due()):
            offset, record = pair
            if self._policy.is_expired(record, self._now):
                self._drop(lane, offset, record)
            else:
                self._deliver(lane, offset, [record])

    def _take_unread(self, lane: Lane) -> None:
        limit = min(self._limit - len(self.deliveries), self._room)
        run: list[Record] = []
        start = 0
        while limit > 0 and (pair := lane.ahead.next_unread()):
            offset, record = pair
            expired = self._policy.is_expired(record, self._now)
            if run and (expired or offset != start + len(run)):
                self._deliver(lane, start, run)
                run = []
            if expired:
                self._drop(lane, offset, record)
                limit = min(limit, self._room)
                continue
            start = start if run else offset
            run.append(record)
            limit -= 1
        if run:
            self._deliver(lane, start, run)

    @property
    def _room(self) -> int:
        """For unread records. What was delivered in vain is remembered until it is settled or left: no more of it
        than may be in flight."""
        state = self._state
        return self._policy.in_flight - state.in_flight - (state.due - state.passed_over) - state.leaving

    def _deliver(self, lane: Lane, offset: int, records: list[Record]) -> None:
        found = lane.cursor.deliver(offset, len(records), self._now, self._deadline, self._nonce)
        self.deliveries.extend(
            Delivery(lane.number, o, self._nonce, record, found.deliveries, found.first_received, self._deadline)
            for o, record in enumerate(records, offset)
        )

    def _drop(self, lane: Lane, offset: int, record: Record) -> None:
        target = self._policy.expired_to
        if target is not None and not self._policy.is_too_old(record, self._now):
            self._state.leave(lane, offset, target, Reason.EXPIRED)
            return
        lane.drop(offset)
        self.expired += 1
