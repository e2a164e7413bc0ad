"""Ranges against a dict of them, in blocks so small that they split and join all the time."""

import tracemalloc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec import structs

from quintet_broker.engine.lanes import ranges
from quintet_broker.engine.lanes.ranges import Range, Ranges

NONCE = 7
Pick = st.integers(0, 10_000)
"""Which of those that are there."""


class RangesMachine(RuleBasedStateMachine):
    """Ranges come at the end and between, are settled, taken out, and expire."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges = Ranges()
        self.model: dict[int, Range] = {}
        self.end = 0
        self.now = 0

    def picked(self, pick: int) -> Range:
        return self.model[sorted(self.model)[pick % len(self.model)]]

    def put(self, found: Range) -> None:
        self.ranges.insert(found)
        self.model[found.offset] = structs.replace(found)

    @rule(
        waits=st.lists(st.integers(0, 20), min_size=1, max_size=10),
        count=st.integers(1, 3),
        space=st.integers(0, 3),
        due=st.booleans(),
    )
    def append(self, waits: list[int], count: int, space: int, due: bool) -> None:
        for wait in waits:
            offset = self.end + space
            self.end = offset + count
            self.put(Range(offset, self.now + wait, count, 1, NONCE, self.now, count, due))

    @rule(pick=Pick, wait=st.integers(0, 20))
    @precondition(lambda self: self.model)
    def fill_a_hole(self, pick: int, wait: int) -> None:
        offset = self.picked(pick).offset
        if offset and self.ranges.find(offset - 1) is None:
            self.put(Range(offset - 1, self.now + wait, 1, 2, NONCE, self.now, 1))

    @rule(picks=st.lists(Pick, min_size=1, max_size=8))
    def remove(self, picks: list[int]) -> None:
        for pick in picks:
            if self.model:
                found = self.picked(pick)
                self.ranges.remove(found)
                del self.model[found.offset]

    @rule(pick=Pick, beside=st.integers(0, 3), nonce=st.sampled_from([NONCE, 1]))
    @precondition(lambda self: self.model)
    def settle(self, pick: int, beside: int, nonce: int) -> None:
        offset = self.picked(pick).offset + beside
        held = next((r for r in self.model.values() if r.offset <= offset < r.end and nonce == NONCE), None)
        assert self.ranges.settle(offset, nonce) == (held is not None)
        if held:
            held.left -= 1
            if not held.left:
                del self.model[held.offset]

    @rule(count=st.integers(1, 3))
    @precondition(lambda self: self.model)
    def grow(self, count: int) -> None:
        self.ranges.grow(count)
        last = self.model[max(self.model)]
        last.count += count
        last.left += count
        self.end = last.end

    @rule(passed=st.integers(0, 20))
    def expire(self, passed: int) -> None:
        self.now += passed
        expected = [r for r in self.model.values() if not r.due and r.deadline <= self.now]
        for found in expected:
            found.due = True
        assert self.ranges.expire(self.now) == sorted(expected, key=lambda r: (r.deadline, r.offset))

    @rule()
    def expire_again(self) -> None:
        self.ranges.expire_again()
        for found in self.model.values():
            found.due = False

    @invariant()
    def they_agree(self) -> None:
        kept = [self.model[offset] for offset in sorted(self.model)]
        assert list(self.ranges) == kept
        assert (self.ranges.first(), self.ranges.last()) == ((kept[0], kept[-1]) if kept else (None, None))
        for offset in range(0, self.end + 1, 1 + self.end // 40):
            held = next((r for r in kept if r.offset <= offset < r.end), None)
            assert self.ranges.find(offset) == held
            assert self.ranges.begins(offset) == (held if held and held.offset == offset else None)
        middle = self.end // 2
        assert list(self.ranges.due_behind(middle)) == [r for r in kept if r.due and r.end > middle]

    @invariant()
    def counts_are_true(self) -> None:
        assert self.ranges.in_flight == sum(r.left for r in self.model.values() if not r.due)
        assert self.ranges.due == sum(r.left for r in self.model.values() if r.due)

    @invariant()
    def deadlines_are_known(self) -> None:
        waiting = [r.deadline for r in self.model.values() if not r.due]
        known = self.ranges.next_deadline()
        assert known is None if not waiting else known is not None and known <= min(waiting)
        due = [r for r in self.model.values() if r.due]
        told = list(self.ranges.longest_due())
        assert sorted(told, key=lambda r: r.offset) == sorted(due, key=lambda r: r.offset)
        assert not due or told[0].deadline == min(r.deadline for r in due)

    @invariant()
    def blocks_are_few(self) -> None:
        assert len(self.ranges._blocks) <= 1 + 4 * len(self.model) / ranges.BLOCK_RANGES


def test_they_are_what_a_dict_would_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "BLOCK_RANGES", 8)
    monkeypatch.setattr(ranges, "_FEW", 2)
    run_state_machine_as_test(RangesMachine, settings=settings(max_examples=200, stateful_step_count=60))


def test_a_million_in_flight_take_less_than_120_mb() -> None:
    """Each delivered by itself: the worst case."""
    count = 20_000
    tracemalloc.start()
    held = Ranges()
    for offset in range(count):
        held.insert(Range(offset, offset + 30_000, 1, 1, NONCE, offset, 1))
    held.changed.clear()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / count < 60


def test_what_few_messages_leave_of_many_takes_little() -> None:
    held = Ranges()
    count = 100 * ranges.BLOCK_RANGES
    for offset in range(count):
        held.insert(Range(offset, 1, 1, 1, NONCE, offset, 1))
    for offset in range(count):
        if offset % ranges.BLOCK_RANGES:
            held.settle(offset, NONCE)
    assert len(held._blocks) < 10
