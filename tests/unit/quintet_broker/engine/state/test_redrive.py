"""Records that come back out of a dead-letter queue."""

from typing import Any

import pytest
from msgspec import structs

from quintet_broker.engine.records.headers import REASON, SOURCE
from quintet_broker.engine.requests import Progress, StartRedrive, StopRedrive, TellRedrives
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.redrive import AT_ONCE, REMEMBERED, all_together
from tests.unit.shard_bench import POLICY, Bench, values


async def dead_lettered(bench: Bench, count: int, source: int = 1, **policy: Any) -> tuple[Shard, Shard]:
    """A queue, and its dead-letter queue with records that came from it."""
    dead = bench.shards.get(9) or bench.open(9, structs.replace(POLICY, name="dead", **policy))
    shard = bench.open(source, structs.replace(POLICY, name=f"queue-{source}", max_receives=1, dead_letter=9, **policy))
    await bench.send(shard, *[b"%d-%d" % (source, number) for number in range(count)])
    while await bench.receive(shard, 100, visibility=1):
        bench.store.time += 1
        await bench.turn()
        await bench.move(shard)
    return shard, dead


async def start(
    bench: Bench, dead: Shard, target: int | None = None, rate: float | None = None, limit: int | None = None
) -> Progress:
    progress: Progress = await bench.ask(dead, StartRedrive(bench.store.now(), target, rate, limit))
    return progress


async def redrives(bench: Bench, dead: Shard) -> list[Progress]:
    told: list[Progress] = await bench.ask(dead, TellRedrives(bench.store.now()))
    return told


async def progress(bench: Bench, dead: Shard) -> Progress:
    return (await redrives(bench, dead))[0]


async def test_each_record_goes_back_to_where_it_came_from() -> None:
    bench = Bench()
    first, dead = await dead_lettered(bench, 2, source=1)
    second, _ = await dead_lettered(bench, 1, source=2)
    assert dead.counts.visible == 3
    assert (await start(bench, dead)).running
    await bench.move(dead)
    told = await progress(bench, dead)
    assert (told.running, told.moved, told.left) == (False, 3, 0)
    back = await bench.receive(first)
    assert values(back) == [b"1-0", b"1-1"]
    assert values(await bench.receive(second)) == [b"2-0"]
    assert all(delivery.record.header(name) is None for delivery in back for name in (SOURCE, REASON))
    assert (dead.counts.visible, dead.totals.dead_lettered, back[0].deliveries) == (0, 0, 1)


async def test_all_records_go_to_one_queue_where_that_is_asked() -> None:
    bench = Bench()
    _, dead = await dead_lettered(bench, 2)
    other = bench.open(3)
    await bench.send(dead, b"sent by a client")
    await start(bench, dead, target=3)
    await bench.move(dead)
    assert values(await bench.receive(other)) == [b"1-0", b"1-1", b"sent by a client"]


async def test_what_came_from_no_queue_stays_and_holds_nothing_up() -> None:
    bench = Bench()
    dead = bench.open(9)
    await bench.send(dead, *[b"sent by a client"] * 2)
    source, _ = await dead_lettered(bench, 1)
    await start(bench, dead, rate=10)
    for _ in range(5):
        bench.store.time += 100
        await bench.turn()
        await bench.move(dead)
    assert values(await bench.receive(source)) == [b"1-0"]
    assert (await progress(bench, dead)).moved == 1
    bench.store.time += 60_000
    stayed = await bench.receive(dead)
    assert [(delivery.record.value, delivery.deliveries) for delivery in stayed] == [(b"sent by a client", 1)] * 2


async def test_no_more_go_than_the_limit() -> None:
    bench = Bench()
    source, dead = await dead_lettered(bench, 5)
    await start(bench, dead, limit=2)
    await bench.move(dead)
    assert (source.counts.visible, dead.counts.visible) == (2, 3)


async def test_what_comes_while_it_runs_does_not_keep_it_running() -> None:
    bench = Bench()
    source, dead = await dead_lettered(bench, 3)
    await start(bench, dead)
    await bench.move(dead)
    await dead_lettered(bench, 0)
    source = bench.shards[1]
    await bench.receive(source, visibility=1)
    bench.store.time += 1
    await bench.turn()
    await bench.move(source)
    assert (dead.counts.visible, source.counts.visible) == (3, 0)
    assert not (await progress(bench, dead)).running


async def test_a_rate_is_kept() -> None:
    bench = Bench()
    source, dead = await dead_lettered(bench, 60)
    await start(bench, dead, rate=10)
    began = bench.store.time
    for second in range(1, 6):
        while (wake := dead.next_wake()) is not None and wake < began + 1000 * second:
            bench.store.time = wake
            await bench.turn()
            await bench.move(dead)
        assert 10 * second - 1 <= source.counts.visible <= 10 * second + 1
    assert (await bench.ask(dead, StopRedrive(bench.store.now()))).left == 0
    bench.store.time += 60_000
    await bench.turn()
    assert source.counts.visible <= 51


async def test_a_new_owner_goes_on_with_it() -> None:
    bench = Bench()
    source, dead = await dead_lettered(bench, 30)
    await start(bench, dead, rate=100)
    await bench.move(dead)
    dead = bench.open(9, dead.policy)
    for _ in range(40):
        await bench.turn()
        await bench.move(dead)
        bench.store.time += 10
    assert source.counts.visible == 30
    told = await progress(bench, dead)
    assert (told.running, told.moved, told.rate) == (False, 30, 100)


async def test_no_more_are_on_their_way_than_at_once() -> None:
    bench = Bench()
    source, dead = await dead_lettered(bench, 0, in_flight=10_000)
    await bench.send(dead, *[b"a"] * (AT_ONCE + 500))
    await start(bench, dead, target=1)
    assert dead.leaving == AT_ONCE
    # Nothing to look at until some have arrived.
    assert (dead.next_wake() or 0) > bench.store.now() + 1000
    await bench.move(dead)
    assert source.counts.visible == AT_ONCE + 500


async def test_where_its_queue_is_gone_a_record_stays() -> None:
    bench = Bench()
    _, dead = await dead_lettered(bench, 2)
    del bench.shards[1]
    await start(bench, dead)
    await bench.move(dead)
    told = await progress(bench, dead)
    assert (told.running, told.moved) == (False, 0)
    dead = bench.open(9, dead.policy)
    await bench.turn()
    assert (await progress(bench, dead)).moved == 0
    assert sorted(values(await bench.receive(dead))) == [b"1-0", b"1-1"]


@pytest.mark.parametrize("paused", [False, True])
async def test_a_group_comes_back_in_order_even_out_of_a_paused_queue(paused: bool) -> None:
    bench = Bench()
    source, dead = await dead_lettered(bench, 0, ordered=True)
    await bench.send(dead, *[b"%d" % number for number in range(10)])
    dead.set_policy(structs.replace(dead.policy, paused=paused))
    await start(bench, dead, target=1)
    await bench.move(dead)
    assert values(await bench.receive(source)) == [b"%d" % number for number in range(10)]


async def test_the_last_ones_are_told_of_by_a_new_owner_too() -> None:
    bench = Bench()
    _, dead = await dead_lettered(bench, 6)
    bench.open(3)
    assert await redrives(bench, dead) == []
    await start(bench, dead, target=3, rate=1)
    await start(bench, dead, limit=1)
    await bench.move(dead)
    await start(bench, dead, rate=1)
    await bench.ask(dead, StopRedrive(bench.store.now()))
    await bench.move(dead)
    dead = bench.open(9, dead.policy)
    found = await redrives(bench, dead)
    assert [(one.running, one.stopped, one.asked, one.target) for one in found] == [
        (False, True, 4, None),
        (False, False, 1, None),
        (False, True, 6, 3),
    ]
    for _ in range(REMEMBERED):
        await start(bench, dead)
    assert len(await redrives(bench, dead)) == REMEMBERED


def test_those_of_all_shards_are_told_together() -> None:
    def one(started_at: int, moved: int) -> Progress:
        return Progress(moved=moved, started_at=started_at, asked=moved + 1)

    grown = [[one(9, 1), one(5, 2)], [one(10, 3)]]
    assert [(told.started_at, told.moved, told.asked) for told in all_together(grown)] == [(10, 4, 6), (5, 2, 3)]
    assert all_together([[], []]) == []
