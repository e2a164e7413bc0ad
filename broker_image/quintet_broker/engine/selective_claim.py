"""SelectiveClaim: gives one receive the records that its selector matches."""

from quintet_broker.engine.choosy_claim import ChoosyClaim
from quintet_broker.engine.lane import Lane
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.requests import Receive
from quintet_broker.engine.selection import Selection
from quintet_broker.engine.selector import Allowance, compiled
from quintet_broker.engine.state import State


class SelectiveClaim(ChoosyClaim):
    """Looks at each record once, and passes over what does not match."""

    def __init__(
        self, receive: Receive, state: State, policy: Policy, now: int, nonce: int, allowance: Allowance
    ) -> None:
        """Raises InvalidArgument where the selector is none, or costs too much."""
        super().__init__(receive, state, policy, now, nonce)
        self.goes_on = False
        """Whether it ended since it computed for long enough, before it had looked at all that is there."""
        self._text = receive.selector or ""
        self._selector = compiled(self._text)
        self._selector.check()
        self._allowance = allowance

    def take(self) -> None:
        """Claim as much as the receive may have, of the highest priority first. What is still to be looked at of a
        priority is waited for before a lower one gets its turn."""
        for lane in self._state.lanes.values():
            selection = lane.selections.use(self._text)
            self._look(lane, selection)
            self._deliver_run(lane)
            if self._is_served or self.goes_on or selection.lacks_next(lane.confirmed):
                break

    def _look(self, lane: Lane, selection: Selection) -> None:
        while not self._is_served and not self.goes_on and selection.looks_further:
            pair = selection.ahead.next_due()
            if not pair and self._has_room(lane, selection):
                pair = selection.ahead.next_unread()
            if not pair:
                return
            offset, record = pair
            selection.looked_at(offset)
            if self._policy.is_expired(record, self._now):
                self._deliver_run(lane)
                self._drop(lane, offset, record)
                continue
            if self._selector.matches(record, self._deliveries_of(lane, offset)):
                self._add(lane, offset, record)
            else:
                self._pass_over(lane, offset)
            self.goes_on = self._allowance.is_used_up

    def _has_room(self, lane: Lane, selection: Selection) -> bool:
        """Whether what is looked at next may be delivered."""
        return self._room > len(self._run) or selection.first_unread(0) < lane.cursor.read_to

    def _deliveries_of(self, lane: Lane, offset: int) -> int:
        """How often the record was delivered, with this time."""
        found = lane.cursor.look(offset)
        return found[0] + 1 if found else 1
