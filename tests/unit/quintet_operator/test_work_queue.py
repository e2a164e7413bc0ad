"""Keys in any order of arrival, and the workers that run them."""

import asyncio
from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quintet_operator.work_queue import FIRST_BACKOFF, LONGEST_BACKOFF, Schedule, TryAgain, WorkQueue, backoff

KEYS = st.sampled_from("abcd")


class ScheduleMachine(RuleBasedStateMachine):
    """Against what must hold: nothing that was added is forgotten, and nothing runs twice at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule: Schedule[str] = Schedule()
        self.now = 0.0
        self.running: set[str] = set()
        self.owed: set[str] = set()
        """Keys that were added since their last run began."""
        self.later: dict[str, float] = {}
        self.failures: Counter[str] = Counter()

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.schedule.add(key)
        self.owed.add(key)

    @rule(key=KEYS, seconds=st.integers(0, 5))
    def add_later(self, key: str, seconds: int) -> None:
        self._later(key, self.now + seconds)
        self.schedule.add_at(key, self.now + seconds)

    def _later(self, key: str, when: float) -> None:
        self.later[key] = min(when, self.later.get(key, when))

    @rule(seconds=st.integers(0, 100))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        for key in [key for key, when in self.later.items() if when <= self.now]:
            del self.later[key]
            self.owed.add(key)
        taken = self.schedule.take(self.now)
        if taken is None:
            assert self.owed <= self.running
        else:
            assert taken in self.owed - self.running
            self.owed.remove(taken)
            self.running.add(taken)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failed=st.booleans())
    def end(self, data: st.DataObject, failed: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.schedule.done(key, self.now, failed=failed)
        self.running.remove(key)
        self.failures[key] = self.failures[key] + 1 if failed else 0
        if failed:
            self._later(key, self.now + backoff(self.failures[key]))

    @invariant()
    def knows_when_it_is_due(self) -> None:
        assert self.schedule.next_due() == min(self.later.values(), default=None)


TestSchedule = ScheduleMachine.TestCase


def test_backoff_doubles_up_to_a_bound() -> None:
    assert [backoff(1), backoff(2), backoff(3)] == [FIRST_BACKOFF, FIRST_BACKOFF * 2, FIRST_BACKOFF * 4]
    assert backoff(1_000) == LONGEST_BACKOFF


async def test_one_key_never_runs_twice_at_a_time_and_none_is_lost() -> None:
    queue: WorkQueue[str] = WorkQueue()
    running: set[str] = set()
    runs: Counter[str] = Counter()
    seen_last: dict[str, int] = {}
    version: Counter[str] = Counter()

    async def work(key: str) -> None:
        assert key not in running
        running.add(key)
        seen_last[key] = version[key]
        await asyncio.sleep(0)
        runs[key] += 1
        running.remove(key)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(queue.run(work, 3))
        for turn in range(300):
            key = "abc"[turn % 3]
            version[key] += 1
            queue.add(key)
            if turn % 7 == 0:
                await asyncio.sleep(0)
        while len(queue):  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
    assert seen_last == version
    assert sum(runs.values()) < 300


async def test_what_fails_is_tried_again_and_what_is_fatal_ends_all() -> None:
    queue: WorkQueue[str] = WorkQueue()
    tries: Counter[str] = Counter()

    async def work(key: str) -> None:
        tries[key] += 1
        if tries[key] == 1:
            raise TryAgain("not yet")
        if tries[key] == 2:
            raise RuntimeError("a fault")
        if key == "last":
            raise KeyError("fatal")

    queue.add("last")
    queue.add_after("first", 0.01)
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(30):
            await queue.run(work, 2, fatal=KeyError)
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
    assert tries["last"] == 3
    assert tries["first"] >= 1
