"""Looking at records as they come."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.records.headers import PRIORITY
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append, Purge, Tail, Tailed
from quintet_broker.engine.shards import tail
from quintet_broker.engine.shards.shard import Shard
from tests.unit.shard_bench import HOUR, Bench

Places = dict[int, int]


async def look(
    bench: Bench, shard: Shard, places: Places | None = None, *, limit: int = 10, since: int = 0
) -> tuple[list[bytes], Places, int]:
    found: Tailed = await bench.ask(shard, Tail(bench.store.now(), limit, places, since))
    return [record.value for record in found.records], found.places, found.missed


async def test_it_begins_at_the_end_and_shows_what_comes() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"before")
    values, end, missed = await look(bench, shard)
    assert (values, missed) == ([], 0)
    await bench.send(shard, b"a", b"b")
    held = await bench.receive(shard, 2)
    await bench.acknowledge(shard, *held)
    before = shard.counts
    values, end, missed = await look(bench, shard, end)
    assert (values, missed, shard.counts) == ([b"a", b"b"], 0, before)
    assert await look(bench, shard, end) == ([], end, 0)


async def test_what_comes_to_a_log_that_nobody_knew_of_is_shown() -> None:
    bench = Bench()
    shard = bench.open(1)
    _, end, _ = await look(bench, shard)
    bench.store.time += 1
    await bench.send(shard, b"a")
    bench.store.time += 1
    await bench.send(shard, b"urgent", headers=((PRIORITY, b"5"),))
    values, end, _ = await look(bench, shard, end)
    assert values == [b"a", b"urgent"]
    assert await look(bench, shard, end) == ([], end, 0)


async def test_a_log_may_begin_while_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    shard = bench.open(1)
    _, end, _ = await look(bench, shard)
    await bench.send(shard, b"a")
    read = bench.store.read

    async def read_and_send(*asked: int) -> list[tuple[int, bytes]]:
        monkeypatch.undo()
        shard.ask(Append(bench.store.now(), [Record(b"urgent", bench.store.now(), None, ((PRIORITY, b"5"),))], [None]))
        tick = shard.collect(bench.store.now())
        assert tick
        [outcome] = await bench.store.write([tick])
        shard.complete(outcome)
        return await read(*asked)

    monkeypatch.setattr(bench.store, "read", read_and_send)
    first, end, _ = await look(bench, shard, end)
    second, end, missed = await look(bench, shard, end)
    assert (first, second, missed) == ([b"a"], [b"urgent"], 0)


async def test_it_goes_on_where_its_limit_ended_it() -> None:
    bench = Bench()
    shard = bench.open(1)
    _, end, _ = await look(bench, shard)
    await bench.send(shard, *(b"%d" % number for number in range(100)))
    found: list[bytes] = []
    while len(found) < 100:
        values, end, _ = await look(bench, shard, end, limit=30)
        assert 0 < len(values) <= 30
        found += values
    assert found == [b"%d" % number for number in range(100)]
    assert tail.BATCHES < 100


async def test_what_was_taken_away_before_the_look_is_counted() -> None:
    bench = Bench()
    shard = bench.open(1)
    _, end, _ = await look(bench, shard)
    await bench.send(shard, *(b"x" * 100_000 for _ in range(5)))
    await bench.ask(shard, Purge(bench.store.now()))
    await bench.send(shard, b"after")
    values, end, missed = await look(bench, shard, end)
    assert (values[-1], len(values) + missed) == (b"after", 6)
    assert missed > 0
    assert await look(bench, shard, end) == ([], end, 0)


async def test_since_shows_what_came_then_and_later() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"old")
    bench.store.time += HOUR // 4
    then = bench.store.now()
    await bench.send(shard, b"then")
    bench.store.time += 1000
    await bench.send(shard, b"later")
    values, end, _ = await look(bench, shard, since=then)
    assert values == [b"then", b"later"]
    await bench.send(shard, b"now")
    assert (await look(bench, shard, end, since=then))[0] == [b"now"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 8), st.sampled_from([b"1", b"5"]), st.sampled_from([1, 90_000])),
        st.tuples(st.just("settle"), st.integers(1, 20)),
        st.tuples(st.just("look"), st.integers(1, 5)),
        st.tuples(st.just("purge")),
    ),
    max_size=20,
)


@given(STEPS)
def test_each_record_is_seen_once_or_counted_as_missed(steps: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        bench = Bench()
        shard = bench.open(1)
        numbers = itertools.count()
        sent = missed = 0
        seen: list[int] = []
        _, places, _ = await look(bench, shard)

        async def see(limit: int) -> bool:
            nonlocal places, missed
            values, places, more = await look(bench, shard, places, limit=limit)
            seen.extend(int(value) for value in values)
            missed += more
            return bool(values)

        for verb, *arguments in steps:
            bench.store.time += 1
            if verb == "send":
                count, priority, size = arguments
                sent += count
                values = [b"%d" % next(numbers) + b" " * size for _ in range(count)]
                await bench.send(shard, *values, headers=((PRIORITY, priority),))
            elif verb == "settle":
                await bench.acknowledge(shard, *await bench.receive(shard, *arguments))
            elif verb == "purge":
                await bench.ask(shard, Purge(bench.store.now()))
            else:
                await see(*arguments)
        while await see(5):
            pass
        assert len(set(seen)) == len(seen)
        assert len(seen) + missed == sent

    asyncio.run(run())
