"""Records that expire: none is delivered, and those that nobody receives go as well."""

import pytest
from msgspec import structs

from quintet_broker.engine.records.headers import EXPIRES_AT, PRIORITY, REASON, RECEIVES
from quintet_broker.engine.records.record import Headers, Record
from quintet_broker.engine.requests import Append, Receive
from quintet_broker.engine.shards.shard import Shard
from tests.unit.shard_bench import POLICY, Bench, values


def expiring(bench: Bench, milliseconds: int) -> Headers:
    return ((EXPIRES_AT, str(bench.store.now() + milliseconds).encode()),)


async def test_an_expired_record_is_not_delivered_and_those_behind_it_are() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"expired", headers=expiring(bench, 10))
    await bench.send(shard, b"a")
    bench.store.time += 10
    assert values(await bench.receive(shard)) == [b"a"]
    assert (shard.totals.expired, shard.counts.visible) == (1, 0)


async def test_a_record_that_expires_while_it_is_in_flight_can_be_acknowledged_and_is_not_delivered_again() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", b"b", headers=expiring(bench, 10))
    first, second = await bench.receive(shard, visibility=20)
    bench.store.time += 15
    assert await bench.acknowledge(shard, first) == [None]
    bench.store.time += 10
    assert await bench.receive(shard) == []
    assert (shard.totals.acknowledged, shard.totals.expired, shard.counts.visible + shard.counts.in_flight) == (1, 1, 0)
    assert await bench.acknowledge(shard, second) == [None]


async def test_expired_records_go_though_nobody_receives() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", headers=expiring(bench, 10))
    await bench.send(shard, b"b", headers=expiring(bench, 20))
    assert shard.next_wake() == bench.store.now() + 20
    bench.store.time += 20
    await bench.turn()
    assert (shard.counts.visible, shard.totals.expired) == (0, 2)
    shard = bench.open(1)
    await bench.turn()
    assert shard.counts.visible == 0


async def test_expired_records_leave_where_one_alone_may_be_in_flight() -> None:
    bench = Bench()
    dead = bench.open(2)
    shard = bench.open(1, structs.replace(POLICY, in_flight=1, expired_to=2))
    await bench.send(shard, b"a", b"b", headers=expiring(bench, 10))
    bench.store.time += 10
    for _ in range(2):
        await bench.turn()
        await bench.move(shard)
    assert (shard.counts.visible, shard.leaving, dead.counts.visible) == (0, 0, 2)


async def test_among_records_that_do_not_expire_they_wait_for_a_receive() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a")
    await bench.send(shard, b"b", headers=expiring(bench, 10))
    bench.store.time += 10
    await bench.turn()
    assert shard.counts.visible == 2
    assert values(await bench.receive(shard)) == [b"a"]
    assert shard.counts.visible == 0


async def dead_lettering(bench: Bench) -> tuple[Shard, Shard]:
    """A queue whose expired records go to another."""
    dead = bench.open(2)
    shard = bench.open(1, structs.replace(POLICY, max_receives=5, dead_letter=2, expired_to=2))
    await bench.turn()
    return shard, dead


async def test_expired_records_go_to_the_dead_letter_queue_where_that_is_asked() -> None:
    bench = Bench()
    shard, dead = await dead_lettering(bench)
    await bench.send(shard, b"a", headers=expiring(bench, 10))
    await bench.receive(shard, visibility=5)
    await bench.send(shard, b"b", headers=expiring(bench, 10))
    await bench.send(shard, b"c")
    bench.store.time += 10
    assert values(await bench.receive(shard) + await bench.receive(shard)) == [b"c"]
    await bench.move(shard)
    bench.store.time += 100
    delivered = await bench.receive(dead)
    told = [(d.record.value, d.record.header(REASON), d.record.header(RECEIVES)) for d in delivered]
    assert sorted(told) == [(b"a", b"Expired", b"1"), (b"b", b"Expired", b"0")]
    assert (shard.totals.expired, shard.totals.dead_lettered) == (0, 2)


async def test_expired_records_go_to_the_dead_letter_queue_though_nobody_receives() -> None:
    bench = Bench()
    shard, dead = await dead_lettering(bench)
    await bench.send(shard, *[b"%d" % number for number in range(1500)], headers=expiring(bench, 10))
    bench.store.time += 10
    await bench.turn()
    await bench.move(shard)
    await bench.turn()
    await bench.move(shard)
    assert (shard.counts.visible, dead.counts.visible) == (0, 1500)


async def test_at_the_end_of_their_retention_records_are_dropped_in_any_case() -> None:
    bench = Bench()
    shard, dead = await dead_lettering(bench)
    await bench.send(shard, b"a", headers=expiring(bench, 10))
    await bench.send(shard, b"b")
    bench.store.time += POLICY.retention
    assert await bench.receive(shard) == []
    await bench.move(shard)
    assert (shard.totals.expired, dead.counts.visible) == (2, 0)


async def test_what_is_on_its_way_elsewhere_is_not_lost_when_it_expires() -> None:
    bench = Bench()
    shard, dead = await dead_lettering(bench)
    shard.set_policy(structs.replace(shard.policy, max_receives=1, expired_to=None))
    await bench.send(shard, b"a", headers=expiring(bench, 10))
    await bench.receive(shard, visibility=5)
    bench.store.time += 5
    await bench.turn()
    assert shard.leaving == 1
    bench.store.time += 5
    await bench.turn()
    await bench.move(shard)
    assert values(await bench.receive(dead)) == [b"a"]


async def test_retention_and_pause_hold_for_every_priority() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, paused=True))
    for priority in b"1", b"10":
        await bench.send(shard, b"old", headers=((PRIORITY, priority),))
    bench.store.time += POLICY.retention // 2
    for priority in b"1", b"10":
        await bench.send(shard, b"new " + priority, headers=((PRIORITY, priority),))
    assert await bench.receive(shard) == []
    bench.store.time += POLICY.retention // 2
    shard.set_policy(POLICY)
    assert values(await bench.receive(shard, visibility=0)) == [b"new 10", b"new 1"]
    assert shard.totals.expired == 2
    bench.store.time += POLICY.retention
    await bench.turn()
    assert (shard.counts.visible, shard.totals.expired) == (0, 4)


@pytest.mark.parametrize("ordered", [False, True])
async def test_no_more_of_what_expired_leaves_at_once_than_may_be_in_flight(ordered: bool) -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, ordered=ordered, dead_letter=9, expired_to=9, in_flight=100))
    await bench.turn()
    now = bench.store.now()
    records = [Record(b"", now, b"%d" % number, ((EXPIRES_AT, b"1"),) if number else ()) for number in range(2000)]
    shard.ask(Append(now, records, [None] * len(records)))
    assert len(await bench.receive(shard, limit=1)) == 1
    shard.ask(Receive(now, 1, 1000, now + 1000))
    await bench.turn()
    assert 90 < shard.leaving <= 100
