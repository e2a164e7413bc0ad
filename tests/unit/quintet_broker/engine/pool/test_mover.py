"""Records that leave for another shard: none lost, none doubled, and none stuck."""

import asyncio
import copy

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec import structs

from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES
from quintet_broker.engine.records.headers import FIRST_RECEIVED_AT, SOURCE
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.errors import QueueNotFound
from quintet_broker.store.tick import Outcome
from tests.unit.dead_letter_machine import DeadLetterMachine, OrderedDeadLetterMachine
from tests.unit.shard_bench import POLICY, Bench, values


async def dead_lettered(bench: Bench) -> tuple[Shard, Shard]:
    """A queue whose one message was delivered in vain, and its dead-letter queue."""
    target = bench.open(2)
    source = bench.open(1, structs.replace(POLICY, max_receives=1, dead_letter=2))
    await bench.send(source, b"poison")
    await bench.receive(source, visibility=1000)
    bench.store.time += 1000
    await bench.turn()
    return source, target


async def test_a_record_received_too_often_goes_to_the_dead_letter_queue() -> None:
    bench = Bench()
    source, target = await dead_lettered(bench)
    assert await bench.receive(source) == []
    await bench.move(source)
    [delivery] = await bench.receive(target)
    assert (delivery.record.value, delivery.deliveries) == (b"poison", 1)
    assert delivery.record.header(SOURCE) == b"orders"
    assert delivery.record.header(FIRST_RECEIVED_AT) is not None
    assert source.lanes[0].cursor.acknowledged_to == source.lanes[0].log.tail
    assert source.totals.dead_lettered == 1


@pytest.mark.parametrize("crash_after", ["append", "mark"])
async def test_a_crash_while_a_record_moves_neither_loses_nor_doubles_it(crash_after: str) -> None:
    bench = Bench()
    source, target = await dead_lettered(bench)
    if crash_after == "append":
        moving = bench.start_move(source)
        while target.counts.visible == 0:
            await bench.turn_one(target)
            await asyncio.sleep(0)
        moving.cancel()
        await asyncio.wait([moving])
    source, target = bench.open(1, source.policy), bench.open(2)
    await bench.turn()
    assert source.leaving == 1
    await bench.move(source)
    assert values(await bench.receive(target)) == [b"poison"]
    assert source.counts.visible + source.counts.in_flight + source.leaving == 0


async def test_a_store_that_lost_writes_gives_no_sequence_twice() -> None:
    """The target would else take the next record that leaves for one that it has, though it lost nothing."""
    bench = Bench()
    source, target = await dead_lettered(bench)
    before = copy.deepcopy(bench.inner.shards[1])
    await bench.send(source, b"another")
    await bench.receive(source, visibility=1000)
    bench.store.time += 1000
    await bench.turn()
    await bench.move(source)
    bench.inner.shards[1], bench.inner.id = before, "second"
    source = bench.open(1, source.policy)
    await bench.send(source, b"later")
    await bench.receive(source, visibility=1000)
    bench.store.time += 1000
    await bench.move(source)
    assert sorted(values(await bench.receive(target))) == [b"another", b"later", b"poison"]


async def test_what_leaves_is_moved_only_once_that_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sequence would else be given to another record if the write was lost."""
    monkeypatch.setattr("quintet_broker.engine.pool.mover.RETRY_AFTER", 0.01)
    bench = Bench()
    source, target = await dead_lettered(bench)
    await bench.send(source, b"early")
    await bench.receive(source, visibility=1000)
    bench.store.full = True
    moving = bench.start_move(source)
    while not target.has_arrivals:  # noqa: ASYNC110 - it is the mover's next steps that are waited for
        await asyncio.sleep(0)
    await bench.turn()
    bench.store.full = False
    bench.store.time += 1000
    assert source.collect(bench.store.now())
    assert source.leaving == 2
    while not source.has_arrivals:
        await bench.turn_one(target)
        assert target.counts.visible == 0
        await asyncio.sleep(0)
    source.complete(Outcome.LOST)
    while not moving.done():
        await bench.turn()
    assert sorted(values(await bench.receive(target))) == [b"early", b"poison"]


async def test_without_its_dead_letter_queue_a_record_stays() -> None:
    bench = Bench()
    source, _ = await dead_lettered(bench)
    del bench.shards[2]
    source.set_policy(POLICY)
    await bench.move(source)
    assert values(await bench.receive(source)) == [b"poison"]


async def test_when_its_dead_letter_queue_goes_meanwhile_a_record_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet_broker.engine.pool.mover.RETRY_AFTER", 0)
    bench = Bench()
    source, target = await dead_lettered(bench)
    moving = bench.start_move(source)
    while not target.has_arrivals:  # noqa: ASYNC110 - it is the mover's next steps that are waited for
        await asyncio.sleep(0)
    del bench.shards[2]
    target.close(QueueNotFound())
    source.set_policy(POLICY)
    while not moving.done():
        await bench.turn()
    await moving
    assert values(await bench.receive(source)) == [b"poison"]


async def test_a_full_target_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet_broker.engine.pool.mover.RETRY_AFTER", 0)
    bench = Bench()
    source, target = await dead_lettered(bench)
    bench.store.full = True
    moving = bench.start_move(source)
    for _ in range(5):
        await bench.turn()
    assert source.leaving == 1
    bench.store.full = False
    while not moving.done():
        await bench.turn()
    assert target.counts.visible == 1


async def test_a_target_that_takes_nothing_holds_up_no_other() -> None:
    bench = Bench()
    stuck, target = bench.open(2), bench.open(3)
    source = bench.open(1, structs.replace(POLICY, max_receives=1, dead_letter=2))
    for number in (2, 3):
        source.set_policy(structs.replace(source.policy, dead_letter=number))
        await bench.send(source, b"for %d" % number)
        await bench.receive(source, visibility=1000)
        bench.store.time += 1000
        await bench.turn()
    assert source.targets == {2, 3}

    moving = bench.start_move(source)
    while not stuck.has_arrivals:  # noqa: ASYNC110 - it is the mover's next steps that are waited for
        await asyncio.sleep(0)
    # It was asked, and does not answer.
    del bench.shards[2]
    while source.targets != {2}:
        await bench.turn()
    assert values(await bench.receive(target)) == [b"for 3"]
    bench.shards[2] = stuck
    while not moving.done():
        await bench.turn()
    assert values(await bench.receive(stuck)) == [b"for 2"]


async def test_a_dead_letter_queue_takes_what_is_moved_to_it_beyond_its_limit() -> None:
    bench = Bench()
    source, target = await dead_lettered(bench)
    target.set_policy(structs.replace(POLICY, messages=1))
    await bench.send(target, b"there")
    await bench.move(source)
    assert target.counts.visible == 2


async def test_large_records_move_though_they_do_not_fit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet_broker.engine.asked.arrivals.WAITING_BYTES", 2 * READ_AHEAD_BYTES)
    bench = Bench()
    target = bench.open(2)
    source = bench.open(1, structs.replace(POLICY, max_receives=1, dead_letter=2))
    for number in range(4):
        await bench.send(source, b"%d" % number + bytes(READ_AHEAD_BYTES))
        await bench.receive(source, visibility=10)
    bench.store.time += 10
    await bench.turn()
    assert source.leaving == 4
    async with asyncio.timeout(30):
        await bench.move(source)
    received = [(await bench.receive(target))[0] for _ in range(4)]
    assert sorted(value[:1] for value in values(received)) == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("machine", [DeadLetterMachine, OrderedDeadLetterMachine])
def test_whatever_dies_meanwhile_none_is_lost_and_none_doubled(
    monkeypatch: pytest.MonkeyPatch, machine: type[DeadLetterMachine]
) -> None:
    monkeypatch.setattr("quintet_broker.engine.pool.mover.RETRY_AFTER", 0)
    run_state_machine_as_test(machine, settings=settings(max_examples=100))
