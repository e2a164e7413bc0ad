"""Segments of which little is alive, replaced by their live records."""

import asyncio

import pytest

from quintet_broker.engine.lanes.log import SEGMENT_MAX_AGE
from quintet_broker.engine.records.record import decode
from quintet_broker.engine.requests import Acknowledge
from quintet_broker.engine.shards import rewriter
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.store.tick import Outcome
from tests.unit.each import One
from tests.unit.shard_bench import HOUR, Bench, values

COUNT = 1000
VALUE = bytes(1000)
HALF = HOUR // 2


@pytest.fixture(autouse=True)
def small_segments_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriter, "LEAST_BYTES", 1)


async def one_in_a_hundred(bench: Bench) -> tuple[Shard, list[One]]:
    """A shard of many records of which few are left, held by a consumer; and what it holds."""
    shard = bench.open(1)
    for start in range(0, COUNT, 100):
        await bench.send(shard, *(b"%d " % number + VALUE for number in range(start, start + 100)))
    kept = []
    while received := await bench.receive(shard, 100, visibility=HALF):
        kept += [delivery for delivery in received if delivery.offset % 100 == 37]
        await bench.acknowledge(shard, *(delivery for delivery in received if delivery not in kept))
    return shard, kept


def stored_bytes(bench: Bench) -> int:
    segments = bench.inner.shards[1].segments.values()
    return sum(len(data) for segment in segments for _, data in segment)


def stored_offsets(bench: Bench) -> list[int]:
    segments = bench.inner.shards[1].segments.values()
    return sorted(offset for segment in segments for _, data in segment for offset, _ in decode(data))


async def rewrite(bench: Bench, shard: Shard, most: int = COUNT) -> int:
    """Rewrite until nothing is to be rewritten any more, at most so often; how often something was."""
    times = 0
    while times < most and shard.wants_rewrite(bench.store.now()):
        running = asyncio.ensure_future(shard.rewrite(bench.store.now()))
        while not running.done():
            await bench.turn()
        await running
        bench.store.time += rewriter.PAUSE
        times += 1
    return times


async def test_records_that_are_left_alone_keep_little_else() -> None:
    bench = Bench()
    shard, kept = await one_in_a_hundred(bench)
    before = stored_bytes(bench)
    assert await rewrite(bench, shard) == 0, "what was written lately may be acknowledged soon"
    bench.store.time += SEGMENT_MAX_AGE + 1
    assert await rewrite(bench, shard) > 0
    assert stored_bytes(bench) < before / 50
    assert stored_offsets(bench) == [delivery.offset for delivery in kept]
    assert shard.lanes[0].log.bytes == stored_bytes(bench)
    assert shard.lanes[0].log.records == len(kept)

    after = bench.open(1)
    await bench.send(after, b"last")
    again = await bench.receive(after, 100)
    assert values(again) == [b"last"]
    await bench.acknowledge(after, *kept, *again)
    assert after.counts.visible + after.counts.in_flight == 0


async def test_a_shard_that_nobody_uses_goes_on_with_its_next_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    shard, _ = await one_in_a_hundred(bench)
    bench.store.time += SEGMENT_MAX_AGE + 1
    woken: list[Shard] = []
    monkeypatch.setattr(bench, "wake", woken.append)
    await rewrite(bench, shard, most=1)
    assert woken == [shard] * 2, "to write, and to look again"
    assert shard.next_wake() == bench.store.now()


async def test_what_is_dead_as_a_whole_goes_without_waiting_beside_one_that_stays() -> None:
    bench = Bench()
    shard, kept = await one_in_a_hundred(bench)
    await bench.acknowledge(shard, *kept[1:])
    segments = len(shard.lanes[0].log.segments)
    assert segments > 2
    assert await rewrite(bench, shard) == 1
    # The first has a record that lives, the last one may be written to.
    assert len(shard.lanes[0].log.segments) == 2
    assert kept[0].offset in stored_offsets(bench)


async def test_a_full_store_does_not_wait_until_segments_are_old() -> None:
    bench = Bench()
    shard, kept = await one_in_a_hundred(bench)
    assert await rewrite(bench, shard) == 0
    bench.store.full = True
    bench.store.time += rewriter.PAUSE
    assert await rewrite(bench, shard) == len(shard.lanes[0].log.segments) - 1
    assert stored_bytes(bench) < COUNT * len(VALUE) / 3
    assert {delivery.offset for delivery in kept} <= set(stored_offsets(bench))


async def test_what_was_rewritten_is_delivered_again() -> None:
    bench = Bench()
    shard, kept = await one_in_a_hundred(bench)
    bench.store.time += SEGMENT_MAX_AGE + 1
    await rewrite(bench, shard)
    bench.store.time += HALF - SEGMENT_MAX_AGE
    for deliveries in 2, 3:
        again = await bench.receive(shard, 100)
        assert values(again) == values(kept)
        assert {delivery.deliveries for delivery in again} == {deliveries}
        bench.store.time += 1000
        shard = bench.open(1)


async def test_a_segment_between_others_goes_when_nothing_of_it_is_left() -> None:
    bench = Bench()
    shard, kept = await one_in_a_hundred(bench)
    assert len(shard.lanes[0].log.segments) > 2
    second = shard.lanes[0].log.segments[1]
    end = shard.lanes[0].log.segments[2].base
    between = [delivery for delivery in kept if second.base <= delivery.offset < end]
    await bench.acknowledge(shard, *between)
    bench.store.time += SEGMENT_MAX_AGE + 1
    await rewrite(bench, shard)
    assert (0, second.base) not in bench.inner.shards[1].segments
    left = [delivery.offset for delivery in kept if delivery not in between]
    assert stored_offsets(bench) == left
    bench.store.time += HALF - SEGMENT_MAX_AGE
    assert [delivery.offset for delivery in await bench.receive(bench.open(1), 100)] == left


async def test_after_a_lost_write_nothing_is_rewritten_by_what_was_known_before() -> None:
    """The owner took records for acknowledged in a tick that was not stored: they live."""
    bench = Bench()
    shard, kept = await one_in_a_hundred(bench)
    bench.store.time += SEGMENT_MAX_AGE + 1
    now = bench.store.now()
    bench.store.answers_reads.clear()
    running = asyncio.ensure_future(shard.rewrite(now))
    await asyncio.sleep(0)
    gone = Acknowledge(now, [delivery.receipt for delivery in kept])
    shard.ask(gone)
    assert shard.collect(now)
    gone.future.cancel()
    bench.store.answers_reads.set()
    while not shard.has_arrivals:  # noqa: ASYNC110 - it is the rewriter's next steps that are waited for
        await asyncio.sleep(0)
    shard.complete(Outcome.LOST)
    await bench.turn()
    await running
    assert set(stored_offsets(bench)) >= {delivery.offset for delivery in kept}


async def test_a_segment_with_a_damaged_batch_stays_as_it_is() -> None:
    bench = Bench()
    shard, _ = await one_in_a_hundred(bench)
    for segment in bench.inner.shards[1].segments.values():
        segment[:] = [(end, data[:-1] + bytes([data[-1] ^ 1])) for end, data in segment]
    before = stored_bytes(bench)
    bench.store.time += SEGMENT_MAX_AGE + 1
    await rewrite(bench, shard)
    assert stored_bytes(bench) == before
    assert not shard.wants_rewrite(bench.store.now() + rewriter.LOOK_EVERY)
