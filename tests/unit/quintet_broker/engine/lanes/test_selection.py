"""Receives with selectors: what they are given, and what they leave to others."""

import asyncio
import math
from collections import Counter

import pytest
from msgspec import structs

from quintet_broker.engine.claims import selective_claim
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.selector import Allowance
from quintet_broker.engine.requests import Acknowledge, Append, Extend, Peek, Purge, Receive
from quintet_broker.engine.shards.shard import LOOK_LONGEST, Shard
from quintet_broker.errors import InvalidArgument, TooManyInFlight
from tests.unit.each import One
from tests.unit.shard_bench import HOUR, POLICY, Bench, values

WANTED = "value.startsWith('x')"


def asked(bench: Bench, limit: int = 10, wait: int = 0, selector: str | None = WANTED) -> Receive:
    now = bench.store.now()
    return Receive(now, limit, HOUR, now + wait, selector)


def released(bench: Bench, delivery: One) -> Extend:
    return Extend(bench.store.now(), [(delivery.receipt, 0)])


async def test_what_does_not_match_stays_for_others() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", b"x1", b"b", b"x2", b"x3")
    assert values(await bench.ask(shard, asked(bench, 2))) == [b"x1", b"x2"]
    assert values(await bench.receive(shard, 10) + await bench.receive(shard, 10)) == [b"x3", b"a", b"b"]
    assert shard.counts.visible == 0


async def test_a_match_comes_from_behind_many_that_do_not_match() -> None:
    bench = Bench()
    shard = bench.open(1)
    for _ in range(5):
        await bench.send(shard, *[bytes(50)] * 10_000)
    await bench.send(shard, b"x")
    assert values(await bench.ask(shard, asked(bench))) == [b"x"]
    assert shard.counts.visible == 50_000


async def test_another_selector_finds_what_was_passed_over() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", b"b", b"x", b"c")
    await bench.ask(shard, asked(bench))
    assert values(await bench.ask(shard, asked(bench, selector="value in ['b', 'c']"))) == [b"b", b"c"]
    bench.shards.clear()
    shard = bench.open(1)
    assert values(await bench.ask(shard, asked(bench, selector="value == 'a'"))) == [b"a"]


async def test_what_is_due_again_is_looked_at_again() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"x1", b"a", b"x2")
    [first, _] = await bench.receive(shard, 2)
    assert values(await bench.ask(shard, asked(bench))) == [b"x2"]
    await bench.ask(shard, released(bench, first))
    [again] = await bench.ask(shard, asked(bench))
    assert again.record.value == b"x1"
    third = asked(bench, selector="deliveries == 3")
    await bench.ask(shard, released(bench, again))
    assert values(await bench.ask(shard, third)) == [b"x1"]


async def test_a_receive_that_finds_nothing_holds_up_no_other() -> None:
    bench = Bench()
    shard = bench.open(1)
    none, plain, other = asked(bench, wait=HOUR), asked(bench, 1, HOUR, None), asked(bench, 1, HOUR, "value == 'b'")
    for receive in none, plain, other:
        shard.ask(receive)
    await bench.turn()
    await bench.send(shard, b"a", b"b")
    assert values(plain.future.result()) == [b"a"]
    assert values(other.future.result()) == [b"b"]
    assert not none.future.done()
    await bench.send(shard, b"x")
    assert values(none.future.result()) == [b"x"]


async def test_a_receive_whose_time_is_over_is_answered_though_there_is_more_to_look_at() -> None:
    bench = Bench()
    bench.allowance = Allowance(0)
    shard = bench.open(1)
    await bench.send(shard, *[b"a"] * 100)
    receive = asked(bench)
    shard.ask(receive)
    for _ in range(5):
        await bench.turn_one(shard)
        assert not receive.future.done()
    bench.store.time += LOOK_LONGEST
    await bench.turn_one(shard)
    assert receive.future.result() == []
    later = asked(bench, wait=HOUR, selector="value == 'a'")
    shard.ask(later)
    await bench.turn()
    assert values(later.future.result()) == [b"a"]


async def test_what_was_passed_over_takes_no_room_of_what_may_be_in_flight() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, in_flight=2))
    await bench.send(shard, b"a", b"a", b"a", b"x", b"x", b"x")
    assert values(await bench.ask(shard, asked(bench))) == [b"x", b"x"]
    with pytest.raises(TooManyInFlight):
        await bench.ask(shard, asked(bench))


async def test_what_others_gave_up_takes_no_room_of_a_selector() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, in_flight=2))
    await bench.send(shard, b"a", b"b", b"c", b"x1", b"x2")
    for delivery in await bench.receive(shard, 2):
        await bench.ask(shard, released(bench, delivery))
    assert values(await bench.ask(shard, asked(bench))) == [b"x1", b"x2"]


async def test_with_too_much_remembered_what_does_not_match_is_passed_over_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selective_claim, "LOOK_AHEAD", 2)
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, in_flight=2))
    await bench.send(shard, b"a", b"b", b"c", b"x")
    for delivery in await bench.receive(shard, 2):
        await bench.ask(shard, released(bench, delivery))
    waiting = asked(bench, wait=HOUR)
    shard.ask(waiting)
    await bench.turn()
    assert not waiting.future.done()
    assert shard.lanes[0].cursor.passed_over == 1
    await bench.acknowledge(shard, *await bench.receive(shard, 2))
    assert values(waiting.future.result()) == [b"x"]


async def test_none_is_missed_though_one_behind_it_is_due_again() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, *[b"a"] * 20, b"x", b"a", b"b")
    [behind] = await bench.ask(shard, asked(bench, selector="value == 'b'"))
    waiting = asked(bench, wait=HOUR)
    shard.ask(waiting)
    bench.allowance = Allowance(0)
    for _ in range(3):
        # All are held for it now, and some of them were looked at.
        await bench.turn_one(shard)
    assert not waiting.future.done()
    shard.ask(released(bench, behind))
    for _ in range(5):
        await bench.turn_one(shard)
    bench.allowance = Allowance(math.inf)
    await bench.turn()
    assert values(waiting.future.result()) == [b"x"]


async def test_each_log_has_its_turn_where_keys_compete() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    for key in b"abc":
        records = [Record(b"x", now, bytes([key]))] * 100
        await bench.ask(shard, Append(now, records, [None] * 100))
    found: Counter[bytes | None] = Counter()
    for _ in range(9):
        [one] = await bench.ask(shard, asked(bench, 1))
        found[one.record.key] += 1
        await bench.ask(shard, Acknowledge(now, [one.receipt]))
    assert set(found.values()) == {3}
    assert Counter(one.record.key for one in await bench.ask(shard, asked(bench, 12))) == {b"a": 4, b"b": 4, b"c": 4}


@pytest.mark.parametrize("ordered", [False, True])
async def test_what_was_passed_over_before_it_is_stored_is_not_taken_for_gone(ordered: bool) -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, ordered=ordered))
    await grouped(bench, shard, b"0h")
    await bench.receive(shard, 1, HOUR)
    now = bench.store.now()
    shard.ask(asked(bench, wait=HOUR))
    await bench.turn()
    shard.ask(Peek(now, 10, None))
    bench.store.answers_reads.clear()
    reading = asyncio.ensure_future(shard.fetch(now))
    await asyncio.sleep(0)
    sent = Append(now, [Record(b"1k", now, b"k")], [None])
    shard.ask(sent)
    tick = shard.collect(now)
    assert tick
    # What is due is read before the write that stores it.
    bench.store.answers_reads.set()
    await reading
    [outcome] = await bench.store.write([tick])
    shard.complete(outcome)
    assert sent.future.done()
    assert values(await bench.receive(shard)) == [b"1k"]


async def test_what_was_passed_over_goes_with_a_purge() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", b"x")
    await bench.ask(shard, asked(bench))
    await bench.ask(shard, Purge(bench.store.now()))
    await bench.send(shard, b"x9")
    assert values(await bench.ask(shard, asked(bench))) == [b"x9"]
    assert values(await bench.receive(shard, 10)) == []


async def test_a_bad_selector_is_refused() -> None:
    bench = Bench()
    shard = bench.open(1)
    with pytest.raises(InvalidArgument):
        await bench.ask(shard, asked(bench, selector="value ="))


async def test_oldest_make_room_though_many_were_passed_over() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, messages=3, overflow="DropOldest"))
    await bench.send(shard, b"a", b"b", b"c")
    assert await bench.ask(shard, asked(bench)) == []
    now = bench.store.now()
    await bench.ask(shard, Append(now, [Record(b"x", now)] * 2, [None] * 2))
    assert values(await bench.ask(shard, asked(bench))) == [b"x", b"x"]
    assert values(await bench.receive(shard, 10)) == [b"c"]


# Where an order is kept


async def grouped(bench: Bench, shard: Shard, *some: bytes) -> None:
    """Of each group, which the last letter of a value tells."""
    now = bench.store.now()
    await bench.ask(shard, Append(now, [Record(value, now, value[-1:]) for value in some], [None] * len(some)))


async def test_a_group_whose_first_message_does_not_match_is_not_there_for_a_receive() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, ordered=True))
    await grouped(bench, shard, b"x1a", b"2a", b"x3a", b"1b", b"x2b")
    assert values(await bench.ask(shard, asked(bench))) == [b"x1a"]
    assert values(await bench.receive(shard, 1, HOUR)) == [b"1b"]
    assert values(await bench.ask(shard, asked(bench))) == []
    await bench.ask(shard, Purge(bench.store.now()))
    await grouped(bench, shard, b"x9a")
    assert values(await bench.ask(shard, asked(bench))) == [b"x9a"]


async def test_a_group_is_there_again_once_its_first_message_is_settled() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, ordered=True))
    await grouped(bench, shard, b"1a", b"x2a")
    waiting = asked(bench, wait=HOUR)
    shard.ask(waiting)
    [first] = await bench.receive(shard, 1, HOUR)
    assert not waiting.future.done()
    await bench.acknowledge(shard, first)
    assert values(waiting.future.result()) == [b"x2a"]


async def test_a_group_is_found_behind_many_that_do_not_match() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, ordered=True))
    now = bench.store.now()
    for first in range(0, 5000, 1000):
        records = [Record(b"a", now, b"%d" % group) for group in range(first, first + 1000)]
        await bench.ask(shard, Append(now, records, [None] * 1000))
    assert values(await bench.ask(shard, asked(bench))) == []
    await grouped(bench, shard, b"xz")
    assert values(await bench.ask(shard, asked(bench))) == [b"xz"]
    for key in b"17", b"4999":
        [found] = await bench.ask(shard, asked(bench, 1, selector="key == '4999' || key == '17'"))
        assert found.record.key == key
    assert len(await bench.receive(shard, 50)) == 50
