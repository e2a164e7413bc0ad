"""SelectiveClaim: gives one receive the records that its selector matches."""

from quintet_broker.engine.claims.choosy_claim import ChoosyClaim
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.lanes.selection import LOOK_AHEAD, Selection


class SelectiveClaim(ChoosyClaim):
    """Looks at each record once, and passes over what does not match."""

    @property
    def _left(self) -> int:
        return 0 if self.goes_on else super()._left

    def _holds_some(self, lane: Lane) -> bool:
        selection = self._selection(lane)
        return selection.looks_further and bool(selection.ahead)

    def _lacks_next(self, lane: Lane) -> bool:
        return self._selection(lane).lacks_next(lane.confirmed)

    def _selection(self, lane: Lane) -> Selection:
        assert self._text is not None
        return lane.selections.use(self._text)

    @property
    def _most_remembered(self) -> int:
        """What others gave up, and it does not match, does not keep it from what it matches."""
        return max(self._policy.in_flight, LOOK_AHEAD)

    def _take_from(self, lane: Lane, most: int) -> int:
        before = self.taken
        self._look(lane, self._selection(lane), before + most)
        self._deliver_run(lane)
        return self.taken - before

    def _look(self, lane: Lane, selection: Selection, end: int) -> None:
        while self.taken + len(self._run) < end and not self.goes_on and selection.looks_further:
            pair = selection.ahead.next_due() or selection.ahead.next_unread()
            if not pair:
                return
            offset, record = pair
            is_expired = self._policy.is_expired(record, self._now)
            if not is_expired and not self._matches(lane, offset, record):
                selection.looked_at(offset)
                self._pass_over(lane, offset)
                continue
            if self._room <= len(self._run) and lane.cursor.is_unread(offset):
                selection.ahead.put_back(offset, record)
                return
            selection.looked_at(offset)
            if is_expired:
                self._deliver_run(lane)
                self._drop(lane, offset, record)
            else:
                self._add(lane, offset, record)
