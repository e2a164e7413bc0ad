"""Looking at records as they come."""

from quintet_broker.engine import tail
from quintet_broker.engine.headers import PRIORITY
from quintet_broker.engine.requests import Purge, Tail, Tailed
from quintet_broker.engine.shard import Shard
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
