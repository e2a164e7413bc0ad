"""The engine against the model, over the store in memory; and what is left of a shard that is closed."""

from typing import cast

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from quintet_broker.engine.engine import Engine
from quintet_broker.engine.lanes import group_ahead
from quintet_broker.engine.pool import mover
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Acknowledge, Append, Count, Receive
from quintet_broker.engine.shards import rewriter
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import QueueNotFound
from quintet_broker.store.redis import Store
from tests.unit.engine_machine import EngineMachine
from tests.unit.fake_store import FakeStore, FaultyStore, Inner
from tests.unit.fifo_machine import FifoMachine


class FencedMachine(EngineMachine):
    async def make_store(self) -> Inner:
        return FakeStore()

    def change_id(self) -> None:
        cast(FakeStore, self.store.inner).id += "'"


class UnfencedMachine(EngineMachine):
    async def make_store(self) -> Inner:
        return FakeStore(fenced=False)

    def change_id(self) -> None:
        cast(FakeStore, self.store.inner).id += "'"


class FencedFifoMachine(FifoMachine):
    async def make_store(self) -> Inner:
        return FakeStore()

    def change_id(self) -> None:
        cast(FakeStore, self.store.inner).id += "'"


@pytest.mark.parametrize(
    ("machine", "waiting"), [(FencedMachine, 1), (FencedFifoMachine, group_ahead.WAITING_BYTES), (FencedFifoMachine, 1)]
)
def test_agrees_with_the_model(machine: type[EngineMachine], waiting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriter, "LEAST_BYTES", 1)
    monkeypatch.setattr(group_ahead, "WAITING_BYTES", waiting)
    run_state_machine_as_test(machine, settings=settings(max_examples=200, stateful_step_count=40))


def test_without_the_fence_it_does_not() -> None:
    with pytest.raises(BaseException):  # noqa: B017, PT011 - an ExceptionGroup or an AssertionError, as it is found
        run_state_machine_as_test(
            UnfencedMachine,
            settings=settings(
                max_examples=500,
                stateful_step_count=40,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                print_blob=False,
            ),
        )


class ConnectedStore(FaultyStore):
    async def connect(self) -> None: ...
    async def check(self) -> None: ...
    async def close(self) -> None: ...


async def test_of_a_closed_shard_nothing_moves_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mover, "RETRY_AFTER", 0)
    store = ConnectedStore(FakeStore())
    engine = Engine(cast(Store, store))
    engine.start()
    policy = Policy("orders", retention=3_600_000, in_flight=100)
    [target] = engine.open([2], policy).routes
    queue = engine.open([1], Policy("source", policy.retention, 100, max_receives=1, dead_letter=2))
    [source] = queue.routes
    await source.serve(Append(store.now(), [Record(b"", store.now())], [None]))
    received = await source.serve(Receive(store.now(), 1, 10, store.now() + 1000))
    assert len(received) == 1
    store.full = True
    store.time += 10
    await source.serve(Acknowledge(store.now(), []))
    assert source.shard
    assert source.shard.leaving == 1
    engine.close(queue, QueueNotFound())
    store.full = False
    for _ in range(20):
        await target.serve(Acknowledge(store.now(), []))
    assert (await target.serve(Count(store.now()))).visible == 0
    await engine.stop()
