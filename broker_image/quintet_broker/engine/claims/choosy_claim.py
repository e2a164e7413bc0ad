"""ChoosyClaim: a claim that looks at each record, and passes over those that are to wait."""

from quintet_broker.engine.claims.claim import Claim
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.selector import Allowance, compiled
from quintet_broker.engine.requests import Receive
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.state import State


class ChoosyClaim(Claim):
    """Takes those that the receive's selector matches, and delivers neighbours together."""

    def __init__(
        self, receive: Receive, state: State, policy: Policy, now: int, nonce: int, allowance: Allowance | None = None
    ) -> None:
        """Raises InvalidArgument where the selector is none, or costs too much."""
        super().__init__(receive, state, policy, now, nonce)
        self.goes_on = False
        """Whether it ended since the tick took long enough, before it had looked at all that is there."""
        self._text = receive.selector
        self._selector = None if receive.selector is None else compiled(receive.selector)
        if self._selector:
            self._selector.check()
        self._allowance = allowance or Allowance()
        self._run: list[Record] = []
        """Taken and not delivered yet: neighbours from offset `_start` on, all unread."""
        self._start = 0

    @property
    def _is_served(self) -> bool:
        return self.taken + len(self._run) >= self._limit

    def _matches(self, lane: Lane, offset: int, record: Record) -> bool:
        if self._selector is None:
            return True
        found = lane.cursor.look(offset)
        matches = self._selector.matches(record, found[0] + 1 if found else 1)
        self.goes_on = self._allowance.is_used_up
        return matches

    def _add(self, lane: Lane, offset: int, record: Record) -> None:
        if lane.cursor.is_unread(offset):
            self._add_next(lane, offset, record)
        else:
            self._deliver_run(lane)
            self._deliver_records(lane, offset, [record])

    def _add_next(self, lane: Lane, offset: int, record: Record) -> None:
        """One that the cursor has not read."""
        if offset != self._start + len(self._run):
            self._deliver_run(lane)
        if not self._run:
            self._start = offset
        self._run.append(record)

    def _pass_over(self, lane: Lane, offset: int) -> None:
        if lane.cursor.is_unread(offset):
            self._deliver_run(lane)
            lane.cursor.pass_over(offset, 1)

    def _deliver_run(self, lane: Lane) -> None:
        if self._run:
            self._deliver_records(lane, self._start, self._run)
            self._run = []
