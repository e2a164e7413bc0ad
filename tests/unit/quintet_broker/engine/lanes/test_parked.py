"""Batches that wait whole in a queue that keeps an order: each group comes in order, whatever is settled when."""

import math
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from quintet_broker.engine.lanes import group_ahead
from quintet_broker.engine.records.record import Record, encode
from quintet_broker.engine.records.sealed import seal
from quintet_broker.engine.records.selector import Allowance
from quintet_broker.engine.requests import Acknowledge, Append, Delivery, Extend, GiveBack, Purge, Receive
from quintet_broker.engine.shards.shard import Shard
from tests.unit.shard_bench import HOUR, POLICY, Bench

FIFO = structs.replace(POLICY, ordered=True, in_flight=1000)


class Traffic:
    """Batches of numbered records, by group, through one shard."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.shard: Shard = self.bench.open(1, FIFO)
        self.sent: dict[int, list[int]] = defaultdict(list)
        """By group, the numbers in order."""
        self.settled: Counter[int] = Counter()
        """By group, how many of the first were acknowledged."""
        self.held: list[Delivery] = []
        self.opened = 0
        """Records that came one by one."""
        self.numbers = 0

    async def send(self, groups: list[int], sealed: bool = True) -> None:
        now = self.bench.store.now()
        numbers = range(self.numbers, self.numbers + len(groups))
        self.numbers += len(groups)
        for number, group in zip(numbers, groups, strict=True):
            self.sent[group].append(number)
        records = [Record(b"%d" % number, now, b"%d" % group) for number, group in zip(numbers, groups, strict=True)]
        if sealed:
            batch, _ = seal(encode(records), (numbers[0], 1), now)
            await self.bench.ask(self.shard, Append(now, [], [], None, [0], None, 1, batch.data))
        else:
            await self.bench.ask(self.shard, Append(now, records, [None] * len(records)))

    async def receive(self, limit: int, selector: str | None = None) -> int:
        """How many came; they are the next of their groups, of which nothing is in flight."""
        busy = {record.key for delivery in self.held for record in delivery.records}
        now = self.bench.store.now()
        request = Receive(now, limit, HOUR, now, selector)
        self.shard.ask(request)
        while not request.future.done():
            await self.bench.turn()
        for delivery in request.future.result():
            assert not any(record.key in busy for record in delivery.records), "of a group that is busy"
            self.held.append(delivery)
            self.opened += 0 if delivery.batch else delivery.count
        in_flight: dict[int, list[int]] = defaultdict(list)
        for delivery in self.held:
            for record in delivery.records:
                in_flight[int(record.key or b"")].append(int(record.value))
        for group, numbers in in_flight.items():
            first = self.settled[group]
            assert numbers == self.sent[group][first : first + len(numbers)], "out of order"
        return sum(delivery.count for delivery in request.future.result())

    async def acknowledge(self, delivery: Delivery, count: int) -> None:
        """The first records of a delivery, of which no record is held before."""
        self.held.remove(delivery)
        now = self.bench.store.now()
        await self.bench.ask(self.shard, Acknowledge(now, [delivery.part(0, count).receipt]))
        self.settled.update(int(record.key or b"") for record in delivery.part(0, count).records)
        if count < delivery.count:
            self.held.append(delivery.part(count, delivery.count - count))
            self.held.sort(key=lambda one: one.offset)

    async def acknowledge_all(self) -> None:
        receipts = [delivery.receipt for delivery in self.held]
        await self.bench.ask(self.shard, Acknowledge(self.bench.store.now(), receipts))
        for delivery in self.held:
            self.settled.update(int(record.key or b"") for record in delivery.records)
        self.held.clear()

    async def release_all(self) -> None:
        receipts = [delivery.receipt for delivery in self.held]
        await self.bench.ask(self.shard, GiveBack(self.bench.store.now(), receipts))
        self.held.clear()

    async def release_last(self, count: int) -> None:
        """So many records of what was delivered last."""
        delivery = self.held.pop()
        kept = max(delivery.count - count, 0)
        if kept:
            self.held.append(delivery.part(0, kept))
        receipt = delivery.part(kept, delivery.count - kept).receipt
        await self.bench.ask(self.shard, GiveBack(self.bench.store.now(), [receipt]))

    async def purge(self) -> None:
        await self.bench.ask(self.shard, Purge(self.bench.store.now()))
        self.settled = Counter({group: len(numbers) for group, numbers in self.sent.items()})
        self.held.clear()

    async def drain(self) -> None:
        while await self.receive(50) or self.held:
            await self.acknowledge_all()
        assert {group: len(numbers) for group, numbers in self.sent.items()} == dict(self.settled), "lost"


async def test_batches_of_the_same_groups_come_whole_once_what_came_before_is_settled() -> None:
    traffic = Traffic()
    for _ in range(20):
        await traffic.send([1, 2, 3, 4, 1, 2, 3, 4])
    assert await traffic.receive(8) == 8
    assert await traffic.receive(8) == 0
    while traffic.held:
        await traffic.acknowledge_all()
        await traffic.receive(20)
    assert traffic.opened == 0
    await traffic.drain()


async def test_a_group_behind_batches_that_wait_is_not_held_up() -> None:
    traffic = Traffic()
    await traffic.send([1, 2])
    await traffic.receive(2)
    for _ in range(3):
        await traffic.send([1, 2])
    await traffic.send([3, 4])
    assert await traffic.receive(10) == 2
    assert [int(record.value) for record in traffic.held[-1].records] == [8, 9]
    await traffic.drain()


async def test_a_part_of_a_batch_goes_on_as_soon_as_its_group_is_free() -> None:
    traffic = Traffic()
    await traffic.send([1, 2])
    await traffic.send([1, 2, 1])
    await traffic.receive(2)
    assert await traffic.receive(10) == 0
    await traffic.acknowledge(traffic.held[0], 1)
    assert await traffic.receive(10) == 2
    assert [int(record.value) for record in traffic.held[-1].records] + [
        int(record.value) for record in traffic.held[-2].records
    ] == [4, 2]
    await traffic.drain()


async def test_what_waits_whole_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = Traffic()
    await traffic.send([1])
    await traffic.receive(1)
    await traffic.send([1, 1])
    assert await traffic.receive(1) == 0
    await traffic.bench.ask(traffic.shard, Extend(traffic.bench.store.now(), [(traffic.held[0].receipt, 10 * HOUR)]))
    traffic.bench.store.time += FIFO.retention + 1
    await traffic.acknowledge_all()
    assert await traffic.receive(10) == 0
    assert traffic.shard.counts.visible == 0


async def test_what_waits_whole_makes_room() -> None:
    traffic = Traffic()
    await traffic.send([1, 2])
    await traffic.receive(2)
    await traffic.send([1, 2, 1, 2])
    assert await traffic.receive(10) == 0
    traffic.shard.set_policy(structs.replace(FIFO, messages=6, overflow="DropOldest"))
    await traffic.send([1, 2])
    # The oldest that waits went, and what comes behind is in order.
    del traffic.sent[1][1], traffic.sent[2][1]
    await traffic.drain()


async def test_what_is_left_of_a_batch_waits_for_what_came_of_it() -> None:
    traffic = Traffic()
    await traffic.send([1])
    await traffic.receive(1)
    await traffic.send([1, 1, 1])
    assert await traffic.receive(10) == 0
    await traffic.acknowledge_all()
    assert await traffic.receive(2) == 2
    assert await traffic.receive(2) == 0
    await traffic.acknowledge_all()
    assert await traffic.receive(2) == 1
    assert traffic.opened == 0


async def test_a_batch_goes_on_once_what_waited_before_it_is_gone() -> None:
    traffic = Traffic()
    await traffic.send([1, 1], sealed=False)
    await traffic.receive(1)
    await traffic.send([1, 1])
    assert await traffic.receive(10) == 0
    traffic.shard.set_policy(structs.replace(FIFO, messages=4, overflow="DropOldest"))
    await traffic.send([2])
    del traffic.sent[1][1]
    await traffic.acknowledge_all()
    assert await traffic.receive(10) == 3
    await traffic.drain()


async def test_selectors_look_at_each_record() -> None:
    traffic = Traffic()
    await traffic.send([1, 2])
    await traffic.receive(2)
    await traffic.send([1, 2])
    assert await traffic.receive(10) == 0
    await traffic.acknowledge_all()
    now = traffic.bench.store.now()
    [found] = await traffic.bench.ask(traffic.shard, Receive(now, 10, HOUR, now, "key == '2'"))
    assert found.record.value == b"3"
    assert await traffic.receive(10) == 1


async def test_a_selector_opens_what_waits_whole_part_by_part() -> None:
    """A turn of the event loop would else be as long as all of it takes."""
    traffic = Traffic()
    traffic.bench.allowance = Allowance(0)
    await traffic.send([1, 2])
    await traffic.receive(2)
    for _ in range(5):
        await traffic.send([1, 2])
    assert await traffic.receive(10) == 0
    groups = traffic.shard.lanes[0].groups
    assert groups
    now = traffic.bench.store.now()
    request = Receive(now, 10, HOUR, now, "key == '2'")
    traffic.shard.ask(request)
    for left in 8, 6, 4, 2, 0:
        assert not request.future.done()
        await traffic.bench.turn_one(traffic.shard)
        assert groups.parked.records == left
    await traffic.bench.turn()
    assert request.future.result() == []


async def test_what_waits_whole_is_free_once_it_is_purged() -> None:
    traffic = Traffic()
    for _ in range(3):
        await traffic.send([1, 2])
        await traffic.receive(1)
    await traffic.purge()
    await traffic.send([2, 1])
    assert await traffic.receive(10) == 2
    assert traffic.opened == 0


async def test_what_waits_whole_does_so_when_something_before_it_comes_again() -> None:
    traffic = Traffic()
    await traffic.send([1, 2])
    await traffic.receive(2)
    for _ in range(3):
        await traffic.send([1, 2])
    assert await traffic.receive(10) == 0
    await traffic.release_all()
    assert await traffic.receive(10) == 8
    assert traffic.opened == 2


async def test_what_waits_behind_a_part_that_goes_on_does_so_whole() -> None:
    traffic = Traffic()
    await traffic.send([1, 2])
    await traffic.send([3])
    await traffic.receive(3)
    for groups in [1, 2], [3, 3], [1, 2]:
        await traffic.send(groups)
    assert await traffic.receive(10) == 0
    await traffic.acknowledge(traffic.held[0], 1)
    assert await traffic.receive(10) == 1
    await traffic.acknowledge_all()
    assert await traffic.receive(10) == 5
    assert traffic.opened == 2


async def test_what_a_selector_wants_is_read_where_what_others_may_want_takes_all_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_ahead, "WAITING_BYTES", 1)
    traffic = Traffic()
    await traffic.send([1, 2], sealed=False)
    for _ in range(2):
        now = traffic.bench.store.now()
        [found] = await traffic.bench.ask(traffic.shard, Receive(now, 2, 0, now, "key == '1'"))
        assert found.record.value == b"0"


async def test_of_many_groups_none_is_held_up_by_what_was_purged() -> None:
    traffic = Traffic()
    await traffic.send([*range(300)], sealed=False)
    await traffic.receive(300)
    await traffic.send([*range(300)], sealed=False)
    assert await traffic.receive(300) == 0
    now = traffic.bench.store.now()
    await traffic.bench.ask(traffic.shard, Purge(now))
    receive = Receive(now, 10, HOUR, now + HOUR)
    traffic.shard.ask(receive)
    traffic.shard.ask(Append(now, [Record(b"", now, b"299")], [None]))
    await traffic.bench.turn_one(traffic.shard)
    assert receive.future.done()


async def test_of_many_groups_none_is_held_up_by_what_is_expired() -> None:
    traffic = Traffic()
    await traffic.send([*range(300)], sealed=False)
    await traffic.receive(300)
    await traffic.send([*range(300)], sealed=False)
    traffic.bench.store.time += FIFO.retention - 1
    await traffic.send([299], sealed=False)
    assert await traffic.receive(300) == 0
    await traffic.acknowledge_all()
    traffic.bench.store.time += 2
    now = traffic.bench.store.now()
    receive = Receive(now, 10, HOUR, now + HOUR)
    traffic.shard.ask(receive)
    await traffic.bench.turn_one(traffic.shard)
    assert receive.future.done()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(st.integers(0, 3), min_size=1, max_size=8)),
        st.tuples(st.just("singles"), st.lists(st.integers(0, 3), min_size=1, max_size=3)),
        st.tuples(st.just("receive"), st.integers(1, 12)),
        st.tuples(st.just("acknowledge"), st.integers(1, 12)),
        st.tuples(st.just("acknowledge all"), st.none()),
        st.tuples(st.just("release"), st.none()),
        st.tuples(st.just("release last"), st.integers(1, 4)),
        st.tuples(st.just("let go"), st.none()),
        st.tuples(st.just("select"), st.integers(0, 3)),
        st.tuples(st.just("purge"), st.none()),
    ),
    max_size=40,
)


@pytest.mark.parametrize("waiting", [group_ahead.WAITING_BYTES, 200, 0])
@settings(max_examples=150, deadline=None)
@given(some=steps, seconds=st.sampled_from([0.0, math.inf]))
async def test_every_group_comes_in_order(waiting: int, some: list[tuple[str, object]], seconds: float) -> None:
    """With as many seconds for a turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_ahead, "WAITING_BYTES", waiting)
        traffic = Traffic()
        traffic.bench.allowance = Allowance(seconds)
        for step, what in some:
            if step in ("send", "singles"):
                assert isinstance(what, list)
                await traffic.send(what, sealed=step == "send")
            elif step == "receive":
                assert isinstance(what, int)
                await traffic.receive(what)
            elif step == "acknowledge" and traffic.held:
                assert isinstance(what, int)
                await traffic.acknowledge(traffic.held[0], min(what, traffic.held[0].count))
            elif step == "acknowledge all":
                await traffic.acknowledge_all()
            elif step == "release":
                await traffic.release_all()
            elif step == "release last" and traffic.held:
                assert isinstance(what, int)
                await traffic.release_last(what)
            elif step == "select":
                await traffic.receive(3, f"key == '{what}'")
            elif step == "purge":
                await traffic.purge()
            elif step == "let go":
                traffic.shard.let_go()
        await traffic.drain()
