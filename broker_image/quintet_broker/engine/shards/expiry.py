"""Expiry: what the passing of time does to the records of a shard. Pure; `now` is an argument."""

from itertools import islice

from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.records.reason import Reason
from quintet_broker.engine.shards.work import Work
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.state import State

AT_ONCE = 1000
"""Records of a lane that expired and leave together."""


class Expiry:
    """Ends deliveries whose visibility timeout passed, and takes away what was here for too long.

    Only whole segments are taken away. What expires among records that do not is dropped when a claim meets it.
    """

    def __init__(self, state: State, policy: Policy, work: Work, now: int, has_new_policy: bool) -> None:
        self._state = state
        self._policy = policy
        self._work = work
        self._now = now
        self._has_new_policy = has_new_policy

    def run(self) -> None:
        for lane in self._state.lanes.values():
            self._end_deliveries(lane)
            self._work.totals.expired += lane.drop_before(lane.log.written_before(self._now - self._policy.retention))
            self._expire(lane)

    def _end_deliveries(self, lane: Lane) -> None:
        policy = self._policy
        if self._has_new_policy:
            # What is due may have been delivered often enough by now.
            lane.cursor.expire_again()
        for found in lane.cursor.expire(self._now):
            if policy.dead_letter is not None and found.deliveries >= policy.max_receives:
                for offset in list(lane.cursor.live(found)):
                    self._state.leave(lane, offset, policy.dead_letter, Reason.MAX_RECEIVES)
            if found.deadline:
                # It was not only passed over.
                lane.touch(range(found.offset, found.end))

    def _expire(self, lane: Lane) -> None:
        """Take away the segments whose records expired, if no consumer has any of the lane's records."""
        if not lane.is_untouched:
            return
        end = lane.log.expired_before(self._now)
        if end <= lane.cursor.acknowledged_to:
            return
        if self._policy.expired_to is None:
            self._work.totals.expired += lane.drop_before(end)
            return
        # Claims need room for what they find expired.
        most = max((self._policy.in_flight + 1) // 2 - self._state.leaving, 0)
        for offset in islice(lane.waiting(end), min(AT_ONCE, most)):
            self._state.leave(lane, offset, self._policy.expired_to, Reason.EXPIRED)
