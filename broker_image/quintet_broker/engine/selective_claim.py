"""SelectiveClaim: gives one receive the records that its selector matches."""

from quintet_broker.engine.choosy_claim import ChoosyClaim
from quintet_broker.engine.lane import Lane
from quintet_broker.engine.selection import Selection


class SelectiveClaim(ChoosyClaim):
    """Looks at each record once, and passes over what does not match."""

    def take(self) -> None:
        """Claim as much as the receive may have, of the highest priority first. What is still to be looked at of a
        priority is waited for before a lower one gets its turn."""
        assert self._text is not None
        for lanes in self._state.priorities:
            lacks_some = False
            for lane in self._in_turn(lanes):
                selection = lane.selections.use(self._text)
                self._look(lane, selection)
                self._deliver_run(lane)
                lacks_some |= selection.lacks_next(lane.confirmed)
                if self._is_served or self.goes_on:
                    return
            if lacks_some:
                return

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
            if self._matches(lane, offset, record):
                self._add(lane, offset, record)
            else:
                self._pass_over(lane, offset)

    def _has_room(self, lane: Lane, selection: Selection) -> bool:
        """Whether what is looked at next may be delivered."""
        return self._room > len(self._run) or selection.first_unread(0) < lane.cursor.read_to
