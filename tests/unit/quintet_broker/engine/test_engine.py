"""The engine against the model, over the store in memory."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.engine_machine import EngineMachine
from tests.unit.fake_store import FakeStore, Inner


class FencedMachine(EngineMachine):
    async def make_store(self) -> Inner:
        return FakeStore()


class UnfencedMachine(EngineMachine):
    async def make_store(self) -> Inner:
        return FakeStore(fenced=False)


def test_agrees_with_the_model() -> None:
    run_state_machine_as_test(FencedMachine, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))


def test_without_the_fence_it_does_not() -> None:
    with pytest.raises(BaseException):  # noqa: B017, PT011 - an ExceptionGroup or an AssertionError, as it is found
        run_state_machine_as_test(
            UnfencedMachine,
            settings=settings(max_examples=500, stateful_step_count=40, deadline=None, database=None, print_blob=False),
        )
