"""The store over one Redis, Sentinels and a Cluster, at moments that are rare."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.crc import key_slot

from quintet_broker.errors import NotOwner
from quintet_broker.store.connection import CONNECTIONS
from quintet_broker.store.node import Fill, Node
from quintet_broker.store.plan import LARGE
from quintet_broker.store.redis import NUMBER_JUMP, TAIL_JUMP, Store
from quintet_broker.store.tick import Append, Outcome, Pool, Tick

SHARDS = 20
"""Enough that each node of a Cluster has some."""
SIZES = [2, LARGE]
"""Of what goes through the script, and around it."""


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, str(uuid.uuid4()))
    await store.connect()
    yield store
    await store.close()


async def keys(store: Store) -> list[object]:
    """All that are stored and do not go by themselves."""
    return [
        key
        for node in store._connection.nodes
        for key in await node.redis.keys(f"*{store.keys.prefix}*")
        if await node.redis.pttl(key) < 0
    ]


async def ask(node: Node, *command: Any) -> Any:
    [answer] = await node.send([(command, {})])
    assert not isinstance(answer, Exception), answer
    return answer


def append(shard: int, epoch: int, number: int, tail: int, data: bytes = b"x") -> Tick:
    meta: dict[str, str | int | None] = {"tail:0": tail + 1, "seg:0:0": f"0:0:1:{number}"}
    return Tick(shard, epoch, number, {0: tail}, [Append(0, 0, tail + 1, data)], meta)


@pytest.mark.parametrize("sizes", [[2], [LARGE], [2, LARGE]])
async def test_one_write_reaches_shards_of_every_node(store: Store, sizes: list[int]) -> None:
    taken = [await store.take(shard) for shard in range(SHARDS)]
    batches = [b"%d" % shard * sizes[shard % len(sizes)] for shard in range(SHARDS)]
    ticks = [append(shard, taken[shard].epoch, 1, 0, batches[shard]) for shard in range(SHARDS)]
    ticks[7].tails = {0: 1}
    outcomes = await store.write(ticks)
    assert outcomes == [Outcome.FENCED if shard == 7 else Outcome.APPLIED for shard in range(SHARDS)]
    for shard in range(SHARDS):
        assert await store.read(shard, 0, 0, 0, 10) == ([] if shard == 7 else [(1, batches[shard])])
    assert (await store.take(3)).meta["tail:0"] == "1"
    for shard in range(SHARDS):
        await store.erase(shard)
    assert await keys(store) == []


async def test_large_appends_go_to_new_segments_and_to_those_there_are(store: Store) -> None:
    """Of several logs, in one tick; and one that is refused leaves nothing, and changes nothing of what is there."""
    epoch = (await store.take(1)).epoch
    one, other, third = (letter * LARGE for letter in (b"a", b"b", b"c"))
    first = Tick(1, epoch, 1, {0: 0}, [Append(0, 0, 1, one), Append(0, 0, 2, b"x"), Append(5, 0, 9, other)])
    assert await store.write([first]) == [Outcome.APPLIED]
    before = await keys(store)
    refused = Tick(1, epoch - 1, 2, {0: 0}, [Append(0, 0, 3, third), Append(0, 3, 4, third)])
    assert await store.write([refused]) == [Outcome.FENCED]
    assert sorted(await keys(store), key=str) == sorted(before, key=str)
    assert await store.read(1, 0, 0, 0, 10) == [(1, one), (2, b"x")]
    later = Tick(1, epoch, 2, {0: 0}, [Append(0, 0, 3, third), Append(0, 3, 4, other)], renew=[(5, 0)])
    assert await store.write([later, later]) == [Outcome.APPLIED, Outcome.FENCED]
    assert await store.read(1, 0, 0, 0, 10) == [(1, one), (2, b"x"), (3, third)]
    assert await store.read(1, 0, 3, 0, 10) == [(4, other)]
    assert await store.read(1, 5, 0, 0, 10) == []


async def test_what_is_appended_and_goes_at_once_leaves_nothing(store: Store) -> None:
    epoch = (await store.take(1)).epoch
    before = await keys(store)
    tick = Tick(1, epoch, 1, {0: 0}, [Append(0, 0, 1, bytes(LARGE))], unlink=[(0, 0)])
    assert await store.write([tick]) == [Outcome.APPLIED]
    assert await keys(store) == before


async def test_a_full_redis_takes_no_large_append_and_what_frees_memory(store: Store) -> None:
    epoch = (await store.take(1)).epoch
    redis = store._connection.node(store.keys.meta(1)).redis
    assert await store.write([append(1, epoch, 1, 0, bytes(LARGE))]) == [Outcome.APPLIED]
    used = (await redis.info("memory"))["used_memory"]
    try:
        # There is room when the transaction begins, and none when it has come.
        await redis.config_set("maxmemory", used + 64 * LARGE)
        large = Tick(1, epoch, 2, {0: 1}, [Append(0, 0, 1 + place, bytes(LARGE)) for place in range(1, 200)])
        assert await store.write([large]) == [Outcome.FULL]
        await redis.config_set("maxmemory", 1)
        assert await store.write([append(1, epoch, 2, 1, bytes(LARGE))]) == [Outcome.FULL]
        rewritten = Tick(1, epoch, 2, {0: 1}, [Append(0, 0, 1, b"y" * LARGE)], renew=[(0, 0)])
        assert await store.write([rewritten]) == [Outcome.APPLIED]
    finally:
        await redis.config_set("maxmemory", 0)
    assert await store.read(1, 0, 0, 0, 10) == [(1, b"y" * LARGE)]


@pytest.mark.parametrize("redis_url", ["cluster"], indirect=True)
@pytest.mark.parametrize("size", SIZES)
async def test_while_a_slot_moves_nothing_is_stored(store: Store, size: int) -> None:
    epoch = (await store.take(1)).epoch
    key = store.keys.meta(1)
    node = store._connection.node(key)
    other = next(other for other in store._connection.nodes if other is not node)
    slot, there = key_slot(key.encode()), (await ask(other, "CLUSTER", "MYID")).decode()
    await ask(node, "CLUSTER", "SETSLOT", slot, "MIGRATING", there)
    try:
        assert await store.write([append(1, epoch, 1, 0, bytes(size))]) == [Outcome.MOVING]
    finally:
        await ask(node, "CLUSTER", "SETSLOT", slot, "STABLE")
    assert await store.write([append(1, epoch, 1, 0, bytes(size))]) == [Outcome.APPLIED]


async def test_what_the_pool_keeps_is_found_again(store: Store) -> None:
    assert await store.number("Queue", "orders", "uid") == 1
    assert await store.number("Queue", "others", "uid") == 2
    assert await store.number("Queue", "orders", "uid") == 1
    epoch = await store.take_pool("broker-0", 1)
    assert await store.change_pool(epoch, {"Queue/orders": b"entry", "Queue/others": b"other"}, b"document") == 1
    assert await store.change_pool(epoch, {"Queue/others": None}) == 2
    assert await store.pool() == Pool(2, {"Queue/orders": b"entry"}, b"document")


async def test_in_another_store_nothing_is_given_twice(store: Store) -> None:
    """A replica that took over may lack what was written last: offsets, numbers of shards, a whole shard."""
    assert await store.number("Queue", "orders", "uid") == 1
    epoch = await store.take_pool("broker-0", 1)
    taken = await store.take(1)
    assert await store.write([append(1, taken.epoch, 1, 0)]) == [Outcome.APPLIED]
    await store.take(2)
    for node in store._connection.nodes:
        node.identity += "'"
    await store._connection.node(store.keys.meta(2)).redis.delete(store.keys.meta(2))

    found = await store.take(1)
    assert (found.meta["gap:0:1"], found.meta["tail:0"]) == (str(TAIL_JUMP + 1), str(TAIL_JUMP + 1))
    found = await store.take(2)
    assert (found.meta["gap:0:0"], found.meta["tail:0"]) == (str(TAIL_JUMP), str(TAIL_JUMP))
    assert await store.number("Queue", "others", "uid") == NUMBER_JUMP + 2
    assert await store.number("Queue", "more", "uid") == NUMBER_JUMP + 3
    assert await store.change_pool(epoch, {"Queue/orders": b"entry"}, version=7) == 8


async def test_the_pool_is_changed_by_its_owner_alone(store: Store) -> None:
    epoch = await store.take_pool("broker-0", 1)
    assert await store.take_pool("broker-1", 2) > epoch
    with pytest.raises(NotOwner):
        await store.change_pool(epoch, {"Queue/orders": b"entry"})
    assert (await store.pool()).entries == {}


async def test_who_goes_by_an_older_table_takes_nothing(store: Store) -> None:
    """It would take a shard back and forth with who owns it by now."""
    await store.take(1, "broker-1", 5)
    with pytest.raises(NotOwner) as refused:
        await store.take(1, "broker-0", 4)
    assert refused.value.generation == 5
    taken = await store.take(1, "broker-0", 5)
    assert (taken.meta["owner"], taken.meta["by"]) == ("broker-0", "5")


async def test_who_did_not_hear_that_a_shard_was_erased_does_not_take_it(store: Store) -> None:
    """What it confirmed from then on would be lost. Nor is it a generation: who believed it would take every later
    table of owners for an older one."""
    await store.take(1, "broker-0", 3)
    await store.erase(1)
    with pytest.raises(NotOwner) as refused:
        await store.take(1, "broker-0", 4)
    assert refused.value.generation == 0


@pytest.mark.parametrize("size", SIZES)
async def test_a_write_without_its_script_is_not_answered_as_stored(store: Store, size: int) -> None:
    """As on a replica that took over: what comes next is to connect anew."""
    taken = await store.take(1)
    for node in store._connection.nodes:
        await node.redis.script_flush()
    assert await store.write([append(1, taken.epoch, 1, 0, bytes(size))]) == [Outcome.LOST]
    await store.connect()
    assert await store.write([append(1, taken.epoch, 1, 0, bytes(size))]) == [Outcome.APPLIED]


@pytest.mark.parametrize("size", SIZES)
async def test_a_write_on_its_way_brings_nothing_of_an_erased_shard_back(
    store: Store, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    taken = await store.take(1)
    outcomes: list[Outcome] = []
    run = store._connection.run

    async def run_and_then_the_write(key: str, fill: Fill, replicated: bool = False) -> list[object]:
        found = await run(key, fill, replicated)
        if not outcomes:
            outcomes.extend(await store.write([append(1, taken.epoch, 1, 0, bytes(size))]))
        return found

    monkeypatch.setattr(store._connection, "run", run_and_then_the_write)
    await store.erase(1)
    assert outcomes == [Outcome.FENCED]
    assert await keys(store) == []


async def test_an_answer_that_comes_late_does_not_move_the_clock(store: Store) -> None:
    """Deadlines would else pass too early while all connections are busy."""
    before = store._clock_ahead
    redis = store._connection.node(store.keys.directory).redis
    busy = [asyncio.ensure_future(redis.blpop([store.keys.directory], 0.5)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0)
    await store.check()
    assert abs(store._clock_ahead - before) < 0.1
    await asyncio.gather(*busy)
