"""The loop over shards, on a store that does not answer."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES
from quintet_broker.engine.pool import ticker
from quintet_broker.engine.pool.ticker import KEPT_BYTES, Ticker
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Acknowledge, Append, Purge, Receive
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import QueueNotFound, Unavailable
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome, Taken, Tick
from tests.unit.each import each
from tests.unit.fake_store import FakeStore, FaultyStore

POLICY = Policy("orders", retention=3_600_000, in_flight=100)
RECORD = Record(b"x", 0)


class SilentStore(FaultyStore):
    """Applies a write, and answers when `answers` is set."""

    def __init__(self) -> None:
        super().__init__(FakeStore())
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()
        self.takes: list[int] = []
        """Numbers of the shards that were taken."""
        self.outcome: Outcome | None = None
        """What it says of writes, instead of the truth."""
        self.fills = False
        """Whether it is found to be full."""

    async def connect(self) -> None: ...

    async def check(self) -> None:
        self.full = self.fills

    async def take(self, shard: int, owner: str = "", generation: int = 0) -> Taken:
        self.takes.append(shard)
        return await super().take(shard, owner, generation)

    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]:
        self.asked.set()
        outcomes = await super().write(ticks)
        await self.answers.wait()
        return [self.outcome] * len(ticks) if self.outcome else outcomes


async def test_a_request_ends_though_the_store_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its write is under way or it waits for one; what was written stays."""
    monkeypatch.setattr(ticker, "CHECK_EVERY", 0.01)
    store = SilentStore()
    loop = Ticker(cast(Store, store), lambda shard: None)
    shard = Shard(1, POLICY, cast(Store, store), loop)
    loop.add(shard)
    running = asyncio.create_task(loop.run())
    written, waiting = (Append(store.now(), [Record(value, store.now())], [None]) for value in (b"first", b"second"))
    async with asyncio.timeout(30):
        shard.ask(written)
        await store.asked.wait()
        shard.ask(waiting)
        store.time += ticker.PATIENCE + 1
        for append in written, waiting:
            with pytest.raises(Unavailable):
                await append.future
        assert loop.waiting_bytes == 0

        store.answers.set()
        receive = Receive(store.now(), limit=10, visibility=1_000, until=store.now() + 1_000)
        shard.ask(receive)
        assert [one.record.value for one in each(await receive.future)] == [b"first"]
    running.cancel()


class Mindful(Shard):
    """Of which the test tells how many bytes of deduplication ids it holds."""

    remembers = 0

    def remembered_bytes(self, now: int) -> int:
        return self.remembers


async def test_all_shards_together_remember_so_many_bytes_of_deduplication_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "CHECK_EVERY", 0.01)
    store = SilentStore()
    loop = Ticker(cast(Store, store), lambda shard: None, most_remembered=100)
    shards = [Mindful(number, POLICY, cast(Store, store), loop) for number in (1, 2)]
    for shard in shards:
        loop.add(shard)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(30):
        for held, more in (60, False), (49, True):
            shards[0].remembers = shards[1].remembers = held
            while loop.remembers_more != more:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
    running.cancel()


class Restless(Shard):
    """Awake again after each of many turns, in which nothing is written."""

    turns = 0

    def collect(self, now: int) -> Tick | None:
        self.turns += 1
        if self.turns < 1000:
            self._pod.wake(self)
        return super().collect(now)


async def test_a_shard_that_is_awake_all_the_time_keeps_nobody_else_out() -> None:
    store = SilentStore()
    loop = Ticker(cast(Store, store), lambda shard: None)
    shard = Restless(1, POLICY, cast(Store, store), loop)
    loop.add(shard)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(30):
        while not shard.turns:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
    assert shard.turns < 10
    running.cancel()


async def test_a_turn_ends_once_what_it_wrote_is_answered() -> None:
    store = SilentStore()
    loop = Ticker(cast(Store, store), lambda shard: None)
    shard = Shard(1, POLICY, cast(Store, store), loop)
    loop.add(shard)
    running = asyncio.create_task(loop.run())
    append = Append(store.now(), [RECORD], [None])
    shard.ask(append)
    await store.asked.wait()
    ending = asyncio.create_task(loop.turned())
    await asyncio.sleep(0)
    assert not ending.done()
    # Another one owns it from now on.
    loop.remove(shard)
    shard.give_up()
    store.answers.set()
    await ending
    assert append.future.done()
    assert await append.future is None
    await loop.turned()
    running.cancel()


async def test_a_closed_shard_does_nothing_any_more() -> None:
    """Though its last write failed, so that it would be taken again, and something still wakes it."""
    store = SilentStore()
    loop = Ticker(cast(Store, store), lambda shard: None)
    closed, other = (Shard(number, POLICY, cast(Store, store), loop) for number in (1, 2))
    for shard in closed, other:
        loop.add(shard)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(30):
        closed.ask(Append(store.now(), [Record(b"", store.now())], [None]))
        await store.asked.wait()
        store.outcome = Outcome.FENCED
        loop.remove(closed)
        closed.close(QueueNotFound())
        store.answers.set()
        await asyncio.sleep(0)
        store.outcome = None
        loop.wake(closed)
        for _ in range(2):
            purge = Purge(store.now())
            other.ask(purge)
            await purge.future
    assert sorted(store.takes) == [1, 2]
    running.cancel()


async def test_delayed_records_enter_the_log_once_the_store_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "CHECK_EVERY", 0.01)
    store = SilentStore()
    store.answers.set()
    loop = Ticker(cast(Store, store), lambda shard: None)
    shard = Shard(1, POLICY, cast(Store, store), loop)
    loop.add(shard)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(30):
        append = Append(store.now(), [Record(b"", store.now())], [store.now() + 10])
        shard.ask(append)
        await append.future
        store.full = store.fills = True
        store.time += 10
        look = Acknowledge(store.now(), [])
        shard.ask(look)
        await look.future
        assert shard.counts.delayed == 1
        store.fills = False
        receive = Receive(store.now(), limit=1, visibility=1_000, until=store.now() + 1_000)
        shard.ask(receive)
        assert len(await receive.future) == 1
    running.cancel()


async def test_a_shard_that_nobody_uses_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its records are let go and no request waits, so that thousands of idle queues cost nothing."""
    monkeypatch.setattr(ticker, "CHECK_EVERY", 0.01)
    store = SilentStore()
    store.answers.set()
    loop = Ticker(cast(Store, store), lambda shard: None)
    used, idle = (Shard(number, POLICY, cast(Store, store), loop) for number in (1, 2))
    for shard in used, idle:
        loop.add(shard)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(30):
        receive = Receive(store.now(), limit=1, visibility=1_000, until=store.now() + 1_000)
        used.ask(receive)
        while loop._busy != {used}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        append = Append(store.now(), [Record(b"", store.now())] * 2, [None] * 2)
        used.ask(append)
        assert len(await receive.future) == 1
        assert used._state.holds_some
        while loop._busy:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not used._state.holds_some
    running.cancel()


@pytest.mark.parametrize(("busy", "kept"), [(1, KEPT_BYTES), (4, KEPT_BYTES // 4), (100, READ_AHEAD_BYTES)])
def test_shards_share_what_is_kept_for_consumers_to_come(busy: int, kept: int) -> None:
    store = SilentStore()
    loop = Ticker(cast(Store, store), lambda shard: None)
    shards = [Shard(number, POLICY, cast(Store, store), loop) for number in range(busy)]
    for shard in shards:
        loop.add(shard)
    shards[0].collect(store.now())
    assert shards[0].lanes[0].ahead.most_kept == kept


class MovingStore(SilentStore):
    """Refuses so many writes, as a Redis Cluster does while the slot moves."""

    refusals = 3

    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]:
        if self.refusals:
            self.refusals -= 1
            return [Outcome.MOVING] * len(ticks)
        return await super().write(ticks)


async def test_a_shard_whose_slot_moves_is_tried_until_it_has_moved() -> None:
    """With pauses, and without a word to the others: for them the store is there."""
    store = MovingStore()
    store.answers.set()
    loop = Ticker(cast(Store, store), lambda shard: None)
    shard = Shard(1, POLICY, cast(Store, store), loop)
    loop.add(shard)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(30):
        began = asyncio.get_running_loop().time()
        append = Append(store.now(), [Record(b"", store.now())], [None])
        shard.ask(append)
        await append.future
        assert asyncio.get_running_loop().time() - began >= MovingStore.refusals * ticker.TRY_AGAIN_AFTER
    assert store.takes == [1] * (1 + MovingStore.refusals)
    assert loop.connected
    running.cancel()


class UntakeableStore(SilentStore):
    """Connects, and then lets no shard be taken."""

    connects = 0

    async def connect(self) -> None:
        self.connects += 1

    async def take(self, shard: int, owner: str = "", generation: int = 0) -> Taken:
        raise Unavailable


async def test_a_store_that_connects_and_serves_nothing_is_not_tried_without_a_pause() -> None:
    store = UntakeableStore()
    loop = Ticker(cast(Store, store), lambda shard: None)
    loop.add(Shard(1, POLICY, cast(Store, store), loop))
    running = asyncio.create_task(loop.run())
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(30):
        while store.connects < 5:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.001)
    # At once, then after the first pause, and each pause is twice as long.
    assert asyncio.get_running_loop().time() - began >= 15 * ticker.RECONNECT_AFTER[0]
    running.cancel()
