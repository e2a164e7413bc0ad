"""Claim: gives one receive its records. Pure; time and nonce are arguments."""

from quintet_broker.engine.cursor import Cursor
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.read_ahead import ReadAhead
from quintet_broker.engine.record import Record
from quintet_broker.engine.requests import Delivery, Receive


class Claim:
    """The deliveries of one receive, out of what was read ahead; records found too old are dropped on the way."""

    def __init__(self, receive: Receive, cursor: Cursor, policy: Policy, now: int, nonce: int) -> None:
        self.deliveries: list[Delivery] = []
        self.expired = 0
        """Records that were dropped."""
        self._limit = min(receive.limit, policy.in_flight - cursor.in_flight)
        self._deadline = now + receive.visibility
        self._cursor = cursor
        self._policy = policy
        self._now = now
        self._nonce = nonce

    def take(self, ahead: ReadAhead) -> None:
        """Claim as much as the receive may have, what is due again before what is unread."""
        self._take_due(ahead)
        self._take_unread(ahead)

    def _take_due(self, ahead: ReadAhead) -> None:
        while len(self.deliveries) < self._limit and (pair := ahead.next_due()):
            offset, record = pair
            if self._policy.is_expired(record, self._now):
                self._drop(offset)
            else:
                self._deliver(offset, [record])

    def _take_unread(self, ahead: ReadAhead) -> None:
        cursor = self._cursor
        # What was delivered in vain is remembered until it is settled or left: no more of it than may be in flight.
        room = self._policy.in_flight - cursor.in_flight - cursor.due - len(cursor.leaving)
        limit = min(self._limit - len(self.deliveries), room)
        run: list[Record] = []
        start = 0
        while limit > 0 and (pair := ahead.next_unread()):
            offset, record = pair
            expired = self._policy.is_expired(record, self._now)
            if run and (expired or offset != start + len(run)):
                self._deliver(start, run)
                run = []
            if expired:
                self._drop(offset)
                continue
            start = start if run else offset
            run.append(record)
            limit -= 1
        if run:
            self._deliver(start, run)

    def _deliver(self, offset: int, records: list[Record]) -> None:
        found = self._cursor.deliver(offset, len(records), self._now, self._deadline, self._nonce)
        self.deliveries.extend(
            Delivery(o, self._nonce, record, found.deliveries, found.first_received)
            for o, record in enumerate(records, offset)
        )

    def _drop(self, offset: int) -> None:
        self._cursor.drop(offset)
        self.expired += 1
