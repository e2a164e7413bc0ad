"""Queues whose shards become more: nothing is lost, doubled or out of order by it."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec import structs

from quintet_broker.engine.pool import joiner
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append, StartRedrive
from quintet_broker.engine.state.jump import hash_of, places_of
from tests.unit.growth_machine import GrowthMachine, OrderedGrowthMachine
from tests.unit.shard_bench import HOUR, POLICY, Bench

KEYS = [b"%d" % number for number in range(12) if number % 3]
"""Records of these have keys in both machines."""


def place_of(key: bytes) -> int:
    """Among two shards."""
    hashed = hash_of(Record(b"", 0, key), None, 0, False)
    assert hashed is not None
    return places_of(hashed, 2)[-1]


@pytest.mark.parametrize("machine", [GrowthMachine, OrderedGrowthMachine])
def test_agrees_with_the_model(machine: type[GrowthMachine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joiner, "PAUSE", (0, 0))
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))


@pytest.mark.parametrize("machine", [GrowthMachine, OrderedGrowthMachine])
def test_what_is_stored_in_part_is_not_confirmed_by_a_broker_that_knows_fewer_shards(
    machine: type[GrowthMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joiner, "PAUSE", (0, 0))
    model = machine()
    model.grow(1)
    model.learn(0)
    stays, goes = (next(key for key in KEYS if place_of(key) == place) for place in range(2))
    model.fail_next(2, Append, "before")
    model.send([stays, goes], 0, broker=0, turns=2000)
    assert model.unanswered
    model.send([], 0, broker=1, turns=2000)
    assert len(model.held) == 2
    model.teardown()


def test_what_moves_is_stored_once_however_late_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joiner, "PAUSE", (0, 0))
    model = GrowthMachine()
    records = [model.record(b"%d" % place, key) for place, key in enumerate(KEYS)]
    moved = model.append(records, -1, 1)
    assert moved.is_moved
    assert model.run(model._send(moved, 0, False))
    for _ in range(2):
        model.grow(2)
        model.learn(0)
        model.bench.store.time += 2 * HOUR
        assert model.run(model._send(moved, 0, False))
        assert sum(shard.counts.visible for shard in model.bench.shards.values()) == len(KEYS)
    model.loop.close()


async def test_a_redrive_waits_until_the_shard_may_deliver() -> None:
    bench = Bench()
    shard = bench.open(2, structs.replace(POLICY, ordered=True, older=(1,)))
    await bench.turn()
    shard.join(0)
    await bench.send(shard, b"x")
    await bench.ask(shard, StartRedrive(bench.store.now(), 7, None, None))
    bench.store.time += 1000
    await bench.turn()
    wake = shard.next_wake()
    assert wake is None or wake > bench.store.now()
    shard.begin()
    wake = shard.next_wake()
    assert wake is not None
    assert wake <= bench.store.now()
