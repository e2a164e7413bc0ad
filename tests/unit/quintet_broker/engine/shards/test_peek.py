"""Looking at records without claiming them."""

import pytest

from quintet_broker.engine.records.headers import PRIORITY
from quintet_broker.engine.requests import Peek, Peeked, Place
from quintet_broker.engine.shards import peek
from quintet_broker.engine.shards.shard import Shard
from tests.unit.shard_bench import HOUR, Bench


async def look(bench: Bench, shard: Shard, limit: int = 10, place: Place | None = None) -> Peeked:
    found: Peeked = await bench.ask(shard, Peek(bench.store.now(), limit, place))
    return found


def seen(found: Peeked) -> list[tuple[bytes, int, bool]]:
    return [(one.record.value, one.deliveries, one.is_in_flight) for one in found.seen]


async def test_it_shows_what_is_held_and_changes_nothing() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", b"b", b"c", b"d")
    first, _ = await bench.receive(shard, 2)
    await bench.acknowledge(shard, first)
    await bench.receive(shard, 1, visibility=5000)
    bench.store.time += 1000
    await bench.turn()
    before = shard.counts
    found = await look(bench, shard)
    assert seen(found) == [(b"b", 1, False), (b"c", 1, True), (b"d", 0, False)]
    received = [one.first_received for one in found.seen]
    assert (received, found.next) == ([bench.store.now() - 1000, bench.store.now() - 1000, 0], None)
    assert shard.counts == before


async def test_it_goes_on_where_it_ended_over_all_priorities() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", b"b")
    await bench.send(shard, b"c", b"d", headers=((PRIORITY, b"5"),))
    values: list[bytes] = []
    place: Place | None = None
    for _ in range(10):
        found = await look(bench, shard, 1, place)
        values += [one.record.value for one in found.seen]
        place = found.next
        if place is None:
            break
    assert values == [b"c", b"d", b"a", b"b"]


async def test_what_is_too_old_is_not_shown() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"old")
    bench.store.time += HOUR
    await bench.send(shard, b"new")
    assert seen(await look(bench, shard)) == [(b"new", 0, False)]


async def test_a_look_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peek, "READS", 2)
    monkeypatch.setattr(peek, "BATCHES", 1)
    bench = Bench()
    shard = bench.open(1)
    for value in b"a", b"b", b"c", b"d":
        await bench.send(shard, value)
    first, *others = await bench.receive(shard, 3)
    await bench.acknowledge(shard, *others)
    found = await look(bench, shard)
    assert [one.record.value for one in found.seen] == [b"a"]
    assert found.next == (0, 2)
    assert [one.record.value for one in (await look(bench, shard, 10, found.next)).seen] == [b"d"]
    assert first.record.value == b"a"
