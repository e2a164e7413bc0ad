"""What makes room in a queue whose limits are reached."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.lane import DUE_AT_ONCE
from quintet_broker.engine.lanes.ranges import Range
from quintet_broker.engine.records.headers import PRIORITY, REASON
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.errors import QueueFull
from tests.unit.shard_bench import POLICY, Bench, values

URGENT = ((PRIORITY, b"9"),)


def limited(bench: Bench, **limits: Any) -> Shard:
    return bench.open(1, structs.replace(POLICY, **{"overflow": "DropOldest"} | limits))


async def test_the_oldest_are_dropped_by_count() -> None:
    bench = Bench()
    shard = limited(bench, messages=3)
    for number in range(7):
        await bench.send(shard, b"%d" % number)
    assert (shard.counts.visible, shard.totals.dropped) == (3, 4)
    assert values(await bench.receive(shard)) == [b"4", b"5", b"6"]


async def test_the_oldest_are_dropped_by_bytes() -> None:
    bench = Bench()
    shard = limited(bench, bytes=5_000)
    for number in range(10):
        await bench.send(shard, b"%d" % number + bytes(1000))
    assert shard.live_bytes <= 5_000
    assert [value[:1] for value in values(await bench.receive(shard))] == [b"6", b"7", b"8", b"9"]


async def test_those_of_the_lowest_priority_make_room_first() -> None:
    bench = Bench()
    shard = limited(bench, messages=3)
    await bench.send(shard, b"urgent", headers=URGENT)
    await bench.send(shard, b"a", b"b", b"c")
    await bench.send(shard, b"urgent too", headers=URGENT)
    assert values(await bench.receive(shard)) == [b"urgent", b"urgent too", b"c"]


async def test_those_delivered_in_vain_make_room_before_newer_ones() -> None:
    bench = Bench()
    shard = limited(bench, messages=2)
    await bench.send(shard, b"a", b"b")
    [first] = await bench.receive(shard, limit=1, visibility=10)
    bench.store.time += 10
    await bench.turn()
    await bench.send(shard, b"c")
    assert values(await bench.receive(shard)) == [b"b", b"c"]
    assert await bench.acknowledge(shard, first) == [None]


async def test_making_room_looks_at_few_of_many_that_were_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    shard = limited(bench, ordered=True, in_flight=5000, messages=4000)
    now = bench.store.now()
    for _ in range(3):
        await bench.ask(shard, Append(now, [Record(b"", now, b"group") for _ in range(1000)], [None] * 1000))
        await bench.receive(shard, limit=1)
    bench.store.time += 1000
    await bench.ask(shard, Append(now, [Record(b"", now, b"group") for _ in range(1000)], [None] * 1000))
    assert shard.lanes[0].cursor.due > 2 * DUE_AT_ONCE
    looked_at = []
    live = Cursor.live

    def seen(cursor: Cursor, found: Range) -> Iterator[int]:
        for offset in live(cursor, found):
            looked_at.append(offset)
            yield offset

    monkeypatch.setattr(Cursor, "live", seen)
    await bench.send(shard, b"one more")
    assert shard.totals.dropped == 1
    assert len(looked_at) <= 2 * DUE_AT_ONCE


async def test_all_that_waits_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet_broker.engine.lanes.lane.DUE_AT_ONCE", 2)
    bench = Bench()
    shard = limited(bench, messages=8)
    await bench.send(shard, *(b"%d" % number for number in range(8)))
    await bench.receive(shard, limit=5, visibility=10)
    bench.store.time += 10
    await bench.turn()
    shard.set_policy(structs.replace(shard.policy, messages=2))
    await bench.send(shard, b"8")
    assert values(await bench.receive(shard)) == [b"7", b"8"]
    assert shard.totals.dropped == 7


async def test_what_is_in_flight_or_delayed_makes_no_room() -> None:
    bench = Bench()
    shard = limited(bench, messages=3)
    await bench.send(shard, b"a", b"b", b"c")
    received = await bench.receive(shard, limit=2)
    await bench.send(shard, b"d")
    with pytest.raises(QueueFull):
        await bench.send(shard, b"e", b"f")
    assert (shard.counts.visible, shard.counts.in_flight) == (1, 2)
    assert await bench.acknowledge(shard, *received) == [None, None]
    assert values(await bench.receive(shard)) == [b"d"]


async def test_a_lower_limit_holds_from_the_next_send_on() -> None:
    bench = Bench()
    shard = limited(bench)
    await bench.send(shard, *[b"%d" % number for number in range(100)])
    shard.set_policy(structs.replace(shard.policy, messages=10))
    await bench.turn()
    assert shard.counts.visible == 100
    await bench.send(shard, b"new")
    assert shard.counts.visible == 10


async def test_the_oldest_go_to_the_dead_letter_queue() -> None:
    bench = Bench()
    dead = bench.open(2, structs.replace(POLICY, messages=1))
    shard = limited(bench, messages=2, overflow="DeadLetter", dead_letter=2, max_receives=3)
    await bench.send(shard, b"a", b"b")
    await bench.send(shard, b"c", b"d")
    await bench.move(shard)
    assert values(await bench.receive(shard)) == [b"c", b"d"]
    moved = await bench.receive(dead)
    assert values(moved) == [b"a", b"b"]
    assert moved[0].record.header(REASON) == b"Overflow"
    assert (shard.totals.dropped, shard.totals.dead_lettered) == (0, 2)


async def test_without_its_dead_letter_queue_sends_are_refused() -> None:
    bench = Bench()
    shard = limited(bench, messages=2, overflow="DeadLetter")
    await bench.send(shard, b"a", b"b")
    with pytest.raises(QueueFull):
        await bench.send(shard, b"c")


async def test_no_more_leave_than_may_be_in_flight() -> None:
    """While their target is full, more would only fill the memory."""
    bench = Bench()
    shard = limited(bench, messages=2, in_flight=3, overflow="DeadLetter", dead_letter=2)
    for number in range(5):
        await bench.send(shard, b"%d" % number)
    with pytest.raises(QueueFull):
        await bench.send(shard, b"5")
    assert shard.leaving == 3


async def test_two_queues_do_not_push_out_each_others_records_for_ever() -> None:
    bench = Bench()
    first = limited(bench, messages=1, overflow="DeadLetter", dead_letter=2)
    second = bench.open(2, structs.replace(first.policy, dead_letter=1))
    for count in range(3):
        await bench.send(first, b"a")
        await bench.move(first)
        assert (first.counts.visible, second.counts.visible, second.leaving) == (1, count, 0)


async def test_what_was_to_go_to_a_queue_that_is_gone_is_delivered_though_an_order_is_kept() -> None:
    bench = Bench()
    shard = limited(bench, messages=2, overflow="DeadLetter", dead_letter=2, max_receives=3, ordered=True)
    await bench.send(shard, b"a", b"b")
    await bench.send(shard, b"c", b"d")
    assert shard.leaving == 2
    received = await bench.receive(shard)
    await bench.acknowledge(shard, *received)
    # As when its queue departs, its policy is another one at once.
    shard.set_policy(structs.replace(POLICY, ordered=True))
    await bench.move(shard)
    assert sorted(values(received + await bench.receive(shard))) == [b"a", b"b", b"c", b"d"]
