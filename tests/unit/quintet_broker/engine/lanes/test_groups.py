"""The order of message groups beyond what the state machine covers: many records, and what they cost."""

import pytest
from msgspec import structs

from quintet_broker.engine.lanes import groups
from quintet_broker.engine.records.group import Group
from quintet_broker.engine.records.headers import ID
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append, Extend, Receive, Sent, Stay
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.deduplication import BUCKET, WINDOW
from quintet_broker.engine.state.hashes import HASH_BYTES
from quintet_broker.errors import QueueFull
from tests.unit.each import One, each
from tests.unit.shard_bench import HOUR, POLICY, Bench, values

FIFO = structs.replace(POLICY, ordered=True, in_flight=1000)


async def send(bench: Bench, shard: Shard, *keys: int, value: bytes = b"") -> None:
    now = bench.store.now()
    records = [Record(value or b"%d" % place, now, b"%d" % key) for place, key in enumerate(keys)]
    await bench.ask(shard, Append(now, records, [None] * len(records)))


async def test_a_group_that_is_busy_does_not_hold_up_others() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)
    await send(bench, shard, 1, 1, 2, 1, 3)
    [first] = await bench.receive(shard, 1)
    assert values(await bench.receive(shard, 10)) == [b"2", b"4"]
    await bench.acknowledge(shard, first)
    assert values(await bench.receive(shard, 10)) == [b"1", b"3"]


async def test_one_that_is_hidden_again_under_another_owner_holds_up_its_group() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)
    await send(bench, shard, 1, 1)
    first, _ = await bench.receive(shard, 2)
    bench.store.time += HOUR // 2
    bench.shards.clear()
    shard = bench.open(1, FIFO)
    await bench.turn()
    now = bench.store.now()
    waiting = Receive(now, 10, HOUR, now + HOUR)
    shard.ask(waiting)
    await bench.turn_one(shard)
    # It knows by now which groups are busy, and has looked at none of the records.
    shard.ask(Extend(now, [(first.receipt, HOUR // 2)]))
    await bench.turn()
    assert not waiting.future.done()


async def test_one_receive_may_get_several_of_a_group_in_order() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)
    await send(bench, shard, 1, 2, 1, 1)
    assert values(await bench.receive(shard, 3)) == [b"0", b"1", b"2"]
    assert await bench.receive(shard, 3) == []


async def test_a_send_that_is_repeated_is_answered_without_a_number_or_with_its_own() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)
    await send(bench, shard, 1)

    def append(sequence: int, hashed: bytes | None = None) -> Append:
        now = bench.store.now()
        return Append(now, [Record(b"", now, b"key", ((ID, b"i" * 16),))], [None], 7, [sequence], [hashed])

    for sequence, hashed, again in (0, None, None), (1, b"x" * HASH_BYTES, 2):
        assert await bench.ask(shard, append(sequence, hashed)) == [Sent(b"i" * 16, sequence + 1)]
        assert await bench.ask(shard, append(sequence, hashed)) == [Sent(b"i" * 16, again)]


async def test_without_memory_for_more_ids_a_send_with_one_is_refused_unless_it_is_a_duplicate() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)

    def append(hashed: bytes | None) -> Append:
        now = bench.store.now()
        return Append(now, [Record(b"", now, b"key", ((ID, b"i" * 16),))], [None], deduplication=[hashed])

    first = await bench.ask(shard, append(b"a" * HASH_BYTES))
    bench.remembers_more = False
    assert await bench.ask(shard, append(b"a" * HASH_BYTES)) == first
    with pytest.raises(QueueFull, match="deduplication ids"):
        await bench.ask(shard, append(b"b" * HASH_BYTES))
    assert await bench.ask(shard, append(None)) == [Sent(b"i" * 16, 1)]


async def test_a_queue_that_gets_nothing_more_forgets_its_ids_too() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)
    before = shard.remembered_bytes(bench.store.now())
    now = bench.store.now()
    hashes: list[bytes | None] = [number.to_bytes(HASH_BYTES) for number in range(1000)]
    records = [Record(b"", now, b"key", ((ID, hashed),)) for hashed in hashes if hashed]
    await bench.ask(shard, Append(now, records, [None] * 1000, deduplication=hashes))
    assert shard.remembered_bytes(now + WINDOW) > before + 1000 * HASH_BYTES
    assert shard.remembered_bytes(now + WINDOW + BUCKET) == before


async def test_another_owner_takes_nothing_before_it_knows_all_ids_and_delivers_meanwhile() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)

    def append() -> Append:
        now = bench.store.now()
        return Append(now, [Record(b"0", now, b"key", ((ID, b"i" * 16),))], [None], deduplication=[b"a" * HASH_BYTES])

    first = await bench.ask(shard, append())
    bench.shards.clear()
    shard = bench.open(1, FIFO)
    await shard.take()
    again, receive = append(), Receive(bench.store.now(), 1, HOUR, bench.store.now())
    shard.ask(again)
    shard.ask(receive)
    assert shard.collect(bench.store.now()) is None
    assert not again.future.done()
    await bench.turn()
    assert again.future.result() == first
    assert values(each(receive.future.result())) == [b"0"]


async def test_a_dead_lettered_record_frees_its_group_once_it_left() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(FIFO, dead_letter=2, max_receives=1))
    target = bench.open(2, FIFO)
    await send(bench, shard, 1, 1)
    assert values(await bench.receive(shard, 1, visibility=1)) == [b"0"]
    bench.store.time += 1
    assert await bench.receive(shard, 1) == []
    await bench.move(shard)
    assert values(await bench.receive(shard, 1)) == [b"1"]
    assert values(await bench.receive(target, 1)) == [b"0"]


async def test_it_looks_ahead_so_far_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "LOOK_AHEAD", 50)
    bench = Bench()
    shard = bench.open(1, FIFO)
    await send(bench, shard, *[1] * 60, 2)
    [first] = await bench.receive(shard, 1)
    assert await bench.receive(shard, 10) == []
    assert shard.lanes[0].cursor.read_to == 50
    await bench.acknowledge(shard, first)
    assert len(await bench.receive(shard, 30)) == 30


async def test_what_is_passed_over_is_not_held_and_found_again_by_another_owner() -> None:
    bench = Bench()
    shard = bench.open(1, FIFO)
    await send(bench, shard, *[1] * 3000, 2, value=bytes(1000))
    held = await bench.receive(shard, 1)
    assert len(await bench.receive(shard, 10)) == 1
    assert await bench.receive(shard, 10) == []
    cursor = shard.lanes[0].cursor
    assert (shard.lanes[0].ahead._unread_bytes, cursor.due, len(list(cursor._ranges))) == (0, 2999, 3)
    after = bench.open(1, FIFO)
    assert await bench.receive(after, 10) == []
    await bench.acknowledge(after, *held)
    assert [delivery.offset for delivery in await bench.receive(after, 10)] == list(range(1, 11))


@pytest.mark.parametrize("consumers", [1, 50])
async def test_the_cost_of_a_backlog_does_not_grow_with_its_square(
    consumers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred groups, one of them slow: twice the backlog takes about twice the reading and looking."""
    looks = [0]
    wait = groups.Groups.wait

    def counted(self: groups.Groups, offset: int, group: Group) -> None:
        looks[0] += 1
        wait(self, offset, group)

    monkeypatch.setattr(groups.Groups, "wait", counted)
    costs = []
    for count in 4_000, 8_000:
        looks[0] = 0
        bench = Bench()
        shard = bench.open(1, FIFO)
        for start in range(0, count, 1000):
            await send(bench, shard, *(place % 100 for place in range(start, start + 1000)), value=bytes(100))
        await drain(bench, shard, count, consumers)
        costs.append(looks[0] + 100 * bench.store.reads)
    assert costs[1] < 3 * costs[0]


async def drain(bench: Bench, shard: Shard, count: int, consumers: int) -> None:
    """Receive and acknowledge all but the group of the first record, whose consumer never comes back."""
    await bench.receive(shard, 1, visibility=HOUR // 2)
    open_receives: list[Receive] = []
    done = 0
    now = bench.store.now()
    while done < count - count // 100:
        while len(open_receives) < consumers:
            receive = Receive(now, 1, HOUR // 2, now + HOUR)
            shard.ask(receive)
            open_receives.append(receive)
        await bench.turn()
        answered: list[One] = [
            d for receive in open_receives if receive.future.done() for d in each(receive.future.result())
        ]
        open_receives = [receive for receive in open_receives if not receive.future.done()]
        assert answered
        await bench.acknowledge(shard, *answered)
        done += len(answered)


async def test_what_could_not_leave_comes_again_before_what_follows() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(FIFO, messages=2, overflow="DeadLetter", dead_letter=9, max_receives=5))
    for place, key in enumerate([1, 2, 1, 1]):
        await send(bench, shard, key, value=b"%d" % place)
    assert shard.leaving == 2
    [held] = await bench.receive(shard, 1)
    assert held.record.value == b"2"
    await bench.move(shard)
    [other] = await bench.receive(shard, 10)
    assert other.record.value == b"1"
    bench.store.time += 1000
    await bench.acknowledge(shard, other)
    came: list[bytes] = []
    while len(came) < 3:
        some = await bench.receive(shard, 10)
        assert some
        came += values(some)
        await bench.acknowledge(shard, *some)
    assert came == [b"0", b"2", b"3"]


async def test_what_left_unread_and_could_not_go_comes_before_what_is_behind_it() -> None:
    """Though what is behind it is only being read when it turns out that it stays."""
    bench = Bench()
    full = structs.replace(POLICY, ordered=True, dead_letter=9, max_receives=5, messages=1, overflow="DeadLetter")
    shard = bench.open(1, full)
    await bench.turn()
    now = bench.store.now()
    for value in b"a", b"b", b"c":
        # More than is read ahead.
        shard.ask(Append(now, [Record(value * 700_000, now, b"group")], [None]))
    receive = Receive(now, 1, 10_000, now + 20_000)
    shard.ask(receive)
    tick = shard.collect(now)
    assert tick
    [outcome] = await bench.store.write([tick])
    shard.complete(outcome)
    assert shard.leaving == 2
    await shard.fetch(now)
    shard.ask(Stay(now, [(0, 0), (0, 1)]))
    await bench.turn()
    delivered = each(receive.future.result())
    for _ in range(2):
        await bench.acknowledge(shard, delivered[-1])
        delivered += await bench.receive(shard, limit=1)
    assert [delivery.record.value[:1] for delivery in delivered] == [b"a", b"b", b"c"]
