"""Queues whose shards become more: nothing is lost, doubled or out of order by it."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from quintet_broker.engine import joiner
from tests.unit.growth_machine import GrowthMachine, OrderedGrowthMachine


@pytest.mark.parametrize("machine", [GrowthMachine, OrderedGrowthMachine])
def test_agrees_with_the_model(machine: type[GrowthMachine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joiner, "PAUSE", (0, 0))
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))
