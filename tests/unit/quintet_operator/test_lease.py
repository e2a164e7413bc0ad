"""Two replicas and a store that fails, under a clock that the test moves."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from quintet_operator.cluster import ApiError
from quintet_operator.lease import Lease, LeaseLost

SECONDS = 15
SAFE = 5.0
"""Seconds that a write may still take which a holder let out at its last moment."""


class FakeStore:
    """A Lease as the API server has it."""

    def __init__(self, answered: Callable[[], Awaitable[None]]) -> None:
        """`answered` is called after each write, before the answer is there."""
        self._answered = answered
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.broken = ""
        """`before`: nothing is done; `after`: it is done, and the answer is lost."""

    async def read(self) -> dict[str, Any] | None:
        self._fail("before")
        return copy.deepcopy(self.lease)

    async def create(self, lease: dict[str, Any]) -> dict[str, Any]:
        return await self._write(lease, None)

    async def replace(self, lease: dict[str, Any]) -> dict[str, Any]:
        return await self._write(lease, lease["metadata"]["resourceVersion"])

    async def _write(self, lease: dict[str, Any], version: str | None) -> dict[str, Any]:
        self._fail("before")
        if version != (self.lease and self.lease["metadata"]["resourceVersion"]):
            raise ApiError(HTTPStatus.CONFLICT, "Conflict", "it has changed")
        self.version += 1
        made = copy.deepcopy(lease)
        made["metadata"]["resourceVersion"] = str(self.version)
        self.lease = made
        await self._answered()
        self._fail("after")
        return copy.deepcopy(made)

    def _fail(self, when: str) -> None:
        if self.broken == when:
            raise ApiError(0, "Unreachable", "no answer")


class Replicas:
    def __init__(self, count: int = 2) -> None:
        self.now = 1000.0
        self.answers_after = 0.0
        """Seconds."""
        self.looks_meanwhile: Lease | None = None
        self.store = FakeStore(self._wait)
        self.leases = [self.replica(f"pod-{number}") for number in range(count)]

    def replica(self, pod: str) -> Lease:
        return Lease(self.store, "quintet-operator", "quintet-system", pod, SECONDS, lambda: self.now)

    async def _wait(self) -> None:
        """While one waits for its answer, the other sees the Lease already."""
        if other := self.looks_meanwhile:
            self.looks_meanwhile, broken, self.store.broken = None, self.store.broken, ""
            assert not await other.try_once()
            self.store.broken = broken
        self.now += self.answers_after

    @property
    def spec(self) -> dict[str, Any]:
        assert self.store.lease
        return dict(self.store.lease["spec"])


async def test_the_first_takes_it_and_the_second_waits_until_it_stands_still() -> None:
    replicas = Replicas()
    first, second = replicas.leases
    assert await first.try_once()
    assert replicas.spec["leaseTransitions"] == first.term == 0
    assert not await second.try_once()
    for _ in range(20):
        replicas.now += 2
        assert await first.try_once()
        assert not await second.try_once()
    replicas.now += SECONDS - 0.1
    assert not first.held
    assert not await second.try_once()
    replicas.now += 0.2
    assert await second.try_once()
    assert replicas.spec["leaseTransitions"] == second.term == 1
    assert replicas.spec["holderIdentity"] == second.identity


async def test_it_is_told_by_its_label_and_keeps_what_others_wrote_there() -> None:
    replicas = Replicas()
    await replicas.leases[0].try_once()
    assert replicas.store.lease
    replicas.store.lease["metadata"]["labels"] = {"mine": "yes"}
    await replicas.leases[0].try_once()
    labels = replicas.store.lease["metadata"]["labels"]
    assert labels["mine"] == "yes"
    assert labels["app.kubernetes.io/managed-by"] == "quintet"


async def test_given_back_it_is_taken_at_once() -> None:
    replicas = Replicas()
    first, second = replicas.leases
    await first.try_once()
    await first.release()
    assert not first.held
    assert await second.try_once()
    assert second.term == 1


async def test_one_that_woke_too_late_ends_and_does_not_give_back_what_is_anothers() -> None:
    replicas = Replicas()
    first, second = replicas.leases
    await first.try_once()
    await second.try_once()
    replicas.now += SECONDS
    assert await second.try_once()
    with pytest.raises(LeaseLost):
        first.check()
    await first.release()
    assert replicas.spec["holderIdentity"] == second.identity


async def test_keep_ends_where_the_time_is_over_before_it_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody took it meanwhile; but what was done in between was done without a right."""
    replicas = Replicas()
    [first] = replicas.leases[:1]
    await first.try_once()

    async def sleeps(_: float) -> None:
        replicas.now += 60

    monkeypatch.setattr("quintet_operator.lease.asyncio.sleep", sleeps)
    before = replicas.store.version
    with pytest.raises(LeaseLost):
        await first.keep()
    assert replicas.store.version == before


async def test_a_term_above_the_brokers() -> None:
    replicas = Replicas()
    first, second = replicas.leases
    await first.try_once()
    await first.raise_term(7)
    assert replicas.spec["leaseTransitions"] == first.term == 8
    assert await first.try_once()
    assert first.term == 8
    assert not await second.try_once()
    replicas.now += SECONDS
    await second.try_once()
    with pytest.raises(LeaseLost):
        await first.raise_term(7)
    assert second.term == 9


async def test_an_answer_that_was_lost_is_no_right() -> None:
    replicas = Replicas()
    first, second = replicas.leases
    replicas.store.broken = "after"
    assert not await first.try_once()
    assert not first.held
    replicas.store.broken = ""
    assert not await second.try_once()
    assert await first.try_once()


class LeaseMachine(RuleBasedStateMachine):
    """Never do two hold it at a time, nor does one take it while a write of the other may be under way."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.replicas = Replicas()
        self.held_last = [float("-inf")] * 2
        self.terms: dict[int, str] = {}

    @rule(
        number=st.integers(0, 1),
        broken=st.sampled_from(["", "", "", "before", "after"]),
        takes=st.sampled_from([0.0, 0.0, 0.1, 4.0]),
    )
    def try_once(self, number: int, broken: str, takes: float) -> None:
        lease, was = self.replicas.leases[number], self.replicas.leases[number].held
        self.replicas.store.broken, self.replicas.answers_after = broken, takes
        self.replicas.looks_meanwhile = self.replicas.leases[1 - number]
        self.runner.run(lease.try_once())
        self.replicas.store.broken, self.replicas.answers_after = "", 0.0
        self.replicas.looks_meanwhile = None
        if lease.held and not was:
            assert self.replicas.now >= self.held_last[1 - number] + SAFE
        if lease.held:
            assert self.terms.setdefault(lease.term, lease.identity) == lease.identity

    @rule(number=st.integers(0, 1))
    def release(self, number: int) -> None:
        if self.replicas.leases[number].held:
            # Nothing of it is under way: what it did ended first.
            self.held_last[number] = float("-inf")
        self.runner.run(self.replicas.leases[number].release())

    @rule(seconds=st.sampled_from([0.1, 2.0, 5.0, 10.0, SECONDS]))
    def pass_time(self, seconds: float) -> None:
        self.note()
        for number, lease in enumerate(self.replicas.leases):
            if lease.held:
                end = lease._held_until
                self.held_last[number] = min(end, self.replicas.now + seconds)
        self.replicas.now += seconds

    def teardown(self) -> None:
        self.runner.close()

    @invariant()
    def note(self) -> None:
        holders = [number for number, lease in enumerate(self.replicas.leases) if lease.held]
        assert len(holders) <= 1
        for number in holders:
            self.held_last[number] = self.replicas.now


def test_any_order_of_tries_failures_and_pauses() -> None:
    run_state_machine_as_test(LeaseMachine, settings=settings(max_examples=300, stateful_step_count=20))
