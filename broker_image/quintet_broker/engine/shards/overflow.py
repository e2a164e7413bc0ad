"""Overflow: makes room in a queue whose limits are exceeded, where its policy says so. Pure."""

from collections.abc import Iterator
from itertools import islice

from quintet_broker.engine.lanes.fair import FEW
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.records.reason import Reason
from quintet_broker.engine.shards.work import Work
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.state import State

AT_ONCE = 10_000
"""Records that go in one tick, should a limit have become much lower. The next send goes on."""


class Overflow:
    """Takes away the oldest records that no consumer has, those of the lowest priority first, and of keys with many."""

    def __init__(self, state: State, policy: Policy, work: Work) -> None:
        self._state = state
        self._policy = policy
        self._work = work

    def run(self) -> None:
        if not self._may_go_on:
            return
        for lane, offset in islice(self._oldest(), AT_ONCE):
            self._take_away(lane, offset)
            if not self._may_go_on:
                return

    @property
    def _may_go_on(self) -> bool:
        return self._policy.makes_room(self._state.leaving) and self._exceeded

    @property
    def _exceeded(self) -> bool:
        policy, state = self._policy, self._state
        if policy.messages is not None and state.held > policy.messages:
            return True
        return policy.bytes is not None and state.live_bytes > policy.bytes

    def _oldest(self) -> Iterator[tuple[Lane, int]]:
        for lanes in reversed(self._state.priorities):
            waiting = {lane.number: lane.waiting() for lane in lanes}
            while (lane := max(lanes, key=lambda lane: lane.visible)).visible:
                for offset in islice(waiting[lane.number], FEW):
                    yield lane, offset

    def _take_away(self, lane: Lane, offset: int) -> None:
        if self._policy.overflow == "DeadLetter" and self._policy.dead_letter is not None:
            self._state.leave(lane, offset, self._policy.dead_letter, Reason.OVERFLOW)
            return
        lane.drop(offset)
        self._work.totals.dropped += 1
