"""What a shard does beyond what the state machine covers: limits, expiry, waiting, giving back."""

import asyncio
import copy
from typing import Any

import pytest
from msgspec import structs

from quintet_broker.engine.asked.arrivals import WAITING_BYTES
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES
from quintet_broker.engine.records.headers import PRIORITY
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Acknowledge, Append, GiveBack, Purge, Receive, Request
from quintet_broker.errors import Overloaded, PoolFull, QueueFull, QueueNotFound, ReceiptStale, TooManyInFlight
from quintet_broker.store.tick import Outcome
from tests.unit.shard_bench import HOUR, POLICY, Bench, values


async def test_a_full_store_refuses_sends_and_can_be_drained() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"kept")
    bench.store.full = True
    with pytest.raises(PoolFull):
        await bench.send(shard, b"refused")
    received = await bench.receive(shard)
    assert await bench.acknowledge(shard, *received) == [None]


async def test_a_store_that_turns_full_in_a_write_refuses_its_sends_alone() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"kept")
    [delivery] = await bench.receive(shard)
    now = bench.store.now()
    sent = Append(now, [Record(b"refused", now)], [None])
    settled = Acknowledge(now, [delivery.receipt])
    shard.ask(sent)
    shard.ask(settled)
    assert shard.collect(now)
    shard.complete(Outcome.FULL)
    await bench.turn()
    assert isinstance(sent.future.exception(), PoolFull)
    assert settled.future.result() == [None]
    assert shard.counts.visible == 0


async def test_too_much_at_once_is_refused() -> None:
    bench = Bench()
    shard = bench.open(1)
    half = Append(0, [Record(bytes(WAITING_BYTES // 2 + 1), 0)], [None])
    shard.ask(half)
    with pytest.raises(Overloaded):
        shard.ask(Append(0, [Record(bytes(WAITING_BYTES // 2), 0)], [None]))
    await bench.turn()
    assert bench.waiting_bytes == 0


async def test_no_more_are_in_flight_than_allowed() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, in_flight=2))
    await bench.send(shard, b"a", b"b", b"c")
    received = await bench.receive(shard)
    assert values(received) == [b"a", b"b"]
    with pytest.raises(TooManyInFlight):
        await bench.receive(shard)
    await bench.acknowledge(shard, received[0])
    assert values(await bench.receive(shard)) == [b"c"]


async def test_a_queue_takes_no_more_messages_than_its_limit() -> None:
    """Sends of one tick count each other; what is in flight or delayed counts, what is acknowledged does not."""
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, messages=3))
    await bench.turn()
    now = bench.store.now()
    sent = [Append(now, [Record(b"%d" % number, now)], [None]) for number in range(2)]
    delayed = Append(now, [Record(b"later", now)], [now + HOUR])
    refused = Append(now, [Record(b"refused", now)], [None])
    for request in (*sent, delayed, refused):
        shard.ask(request)
    await bench.turn()
    assert [request.future.exception() for request in (*sent, delayed)] == [None, None, None]
    assert isinstance(refused.future.exception(), QueueFull)
    received = await bench.receive(shard)
    with pytest.raises(QueueFull):
        await bench.send(shard, b"refused")
    await bench.acknowledge(shard, received[0])
    await bench.send(shard, b"taken")


async def test_a_queue_takes_no_more_bytes_than_its_limit() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, bytes=1000))
    await bench.send(shard, bytes(600))
    with pytest.raises(QueueFull):
        await bench.send(shard, bytes(600))
    for _ in range(3):
        await bench.acknowledge(shard, *await bench.receive(shard))
        await bench.send(shard, bytes(600))
    assert bench.open(1, shard.policy).live_bytes == 0
    await bench.turn()
    assert bench.shards[1].live_bytes == shard.live_bytes > 600


async def test_a_send_that_was_stored_is_confirmed_again_though_the_queue_is_full() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, messages=1))
    now = bench.store.now()
    await bench.ask(shard, Append(now, [Record(b"once", now)], [None], 7, [0]))
    bench.store.full = True
    await bench.ask(shard, Append(now, [Record(b"once", now)], [None], 7, [0]))
    bench.store.full = False
    with pytest.raises(QueueFull):
        await bench.ask(shard, Append(now, [Record(b"more", now)], [None], 7, [1]))
    await bench.acknowledge(shard, *await bench.receive(shard))
    await bench.ask(shard, Append(now, [Record(b"more", now)], [None], 7, [1]))
    assert values(await bench.receive(shard)) == [b"more"]


async def test_a_receive_does_not_miss_what_is_being_read() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a")
    await bench.receive(shard, visibility=0)
    # Without consumers nothing is held; it notices at the second look.
    shard.let_go()
    shard.let_go()
    now = bench.store.now()
    first, second = Receive(now, 1, 0, now), Receive(now, 1, 0, now)
    shard.ask(first)
    assert shard.collect(now) is None
    bench.store.answers_reads.clear()
    reading = asyncio.ensure_future(shard.fetch(now))
    await asyncio.sleep(0)
    shard.ask(second)
    shard.collect(now)
    assert not second.future.done()
    bench.store.answers_reads.set()
    await reading
    await bench.turn()
    assert values(first.future.result()) == [b"a"]


async def test_an_acknowledgement_counts_once() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a", b"b")
    received = await bench.receive(shard)
    await bench.acknowledge(shard, *received, received[0])
    await bench.acknowledge(shard, received[1])
    assert shard.totals.acknowledged == 2


async def test_a_paused_queue_delivers_nothing() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, paused=True))
    await bench.send(shard, b"a")
    assert await bench.receive(shard) == []
    shard.set_policy(POLICY)
    assert values(await bench.receive(shard)) == [b"a"]


async def test_old_records_expire_one_by_one_and_by_segment() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"old")
    bench.store.time += HOUR // 2
    await bench.send(shard, b"new")
    bench.store.time += HOUR // 2
    assert values(await bench.receive(shard, visibility=0)) == [b"new"]
    bench.store.time += HOUR
    await bench.turn()
    assert shard.counts.visible == 0
    assert shard.totals.expired == 2


async def test_a_long_poll_is_answered_by_the_next_send_within_its_write() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    waiting = Receive(now, 1, 1000, now + 5000)
    shard.ask(waiting)
    await bench.turn()
    assert not waiting.future.done()
    shard.ask(Append(now, [Record(b"a", now)], [None]))
    tick = shard.collect(now)
    assert tick
    assert tick.appends
    assert tick.cursor
    assert await bench.store.write([tick]) == [Outcome.APPLIED]
    shard.complete(Outcome.APPLIED)
    assert values(waiting.future.result()) == [b"a"]


async def test_of_a_broker_that_stops_no_receive_waits() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    receive = Receive(now, 1, 1000, now + 5000)
    shard.ask(receive)
    await bench.turn()
    shard.end_waits(now)
    await bench.turn()
    assert receive.future.result() == []
    await bench.send(shard, b"a")
    assert values(await bench.receive(shard)) == [b"a"]


async def test_a_long_poll_ends_empty_in_time() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    waiting = Receive(now, 1, 1000, now + 5000)
    shard.ask(waiting)
    await bench.turn()
    assert shard.next_wake() == now + 5000
    bench.store.time += 5000
    await bench.turn()
    assert waiting.future.result() == []


async def test_what_a_vanished_consumer_was_given_is_visible_again_and_uncounted() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a")
    now = bench.store.now()
    gone = Receive(now, 1, HOUR // 2, now)
    gone.unheard = lambda found: shard.ask(GiveBack(now, [delivery.receipt for delivery in found]))
    shard.ask(gone)
    tick = shard.collect(now)
    assert tick
    gone.future.cancel()
    await bench.store.write([tick])
    shard.complete(Outcome.APPLIED)
    [delivery] = await bench.receive(shard)
    assert delivery.deliveries == 1


async def test_a_purge_keeps_what_is_sent_after_it_in_the_same_tick() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.turn()
    now = bench.store.now()
    due: list[list[int | None]] = [[None], [now + 10]]
    requests: list[Request[Any]] = [Append(now, [Record(b"before", now)], when) for when in due]
    requests += [Purge(now)]
    requests += [Append(now, [Record(b"after", now)], when) for when in due]
    for request in requests:
        shard.ask(request)
    await bench.turn()
    bench.store.time += 10
    received = await bench.receive(shard) + await bench.receive(shard)
    assert values(received) == [b"after", b"after"]


async def test_after_a_change_of_store_no_offset_is_used_twice(caplog: pytest.LogCaptureFixture) -> None:
    """The store comes back without its last write, as a replica that lagged would."""
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a")
    replica = copy.deepcopy(bench.inner.shards[1])
    await bench.send(shard, b"lost")
    lost = shard.lanes[0].log.tail - 1
    bench.inner.shards[1] = replica
    bench.inner.id = "second"
    await bench.send(shard, b"b")
    bench.inner.id = "third"
    shard = bench.open(1)
    received = await bench.receive(shard, 1) + await bench.receive(shard, 1)
    assert values(received) == [b"a", b"b"]
    assert received[1].offset > lost
    assert "gone" not in caplog.text
    await bench.acknowledge(shard, *received)
    assert shard.lanes[0].cursor.acknowledged_to == shard.lanes[0].log.tail
    assert shard.lanes[0].cursor.gaps == []


async def test_a_priority_whose_first_records_a_store_lost_uses_no_offset_twice() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.turn()
    replica = copy.deepcopy(bench.inner.shards[1])
    urgent = ((PRIORITY, b"5"),)
    await bench.send(shard, b"lost", headers=urgent)
    [lost] = await bench.receive(shard)
    bench.inner.shards[1], bench.inner.id = replica, "second"
    shard = bench.open(1)
    await bench.send(shard, b"a", headers=urgent)
    shard = bench.open(1)
    [received] = await bench.receive(shard)
    assert received.log == lost.log == 5
    assert received.offset > lost.offset
    await bench.acknowledge(shard, received)
    assert (shard.counts.visible, shard.counts.in_flight, shard.lanes[5].cursor.gaps) == (0, 0, [])


async def test_a_message_that_is_delayed_keeps_its_priority() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    await bench.ask(shard, Append(now, [Record(b"urgent", now, None, ((PRIORITY, b"9"),))], [now + 10]))
    await bench.send(shard, b"a")
    bench.store.time += 10
    await bench.turn()
    assert values(await bench.receive(shard)) == [b"urgent", b"a"]


async def test_receipts_of_priorities_that_there_never_were_are_stale() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    [error] = await bench.ask(shard, Acknowledge(now, [(7, 0, 1, 1)]))
    assert isinstance(error, ReceiptStale)
    await bench.ask(shard, GiveBack(now, [(7, 0, 1, 1)]))


async def test_redelivery_is_not_starved_by_new_records() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"again")
    await bench.receive(shard, visibility=10)
    bench.store.time += 10
    for number in range(20):
        await bench.send(shard, b"new %d" % number)
        if b"again" in values(await bench.receive(shard, limit=1)):
            return
    pytest.fail("the record that was due again was never delivered")


async def test_what_is_due_is_not_lost_by_a_read_that_outlived_its_owner() -> None:
    """A read is under way when the shard is taken again: what it finds is of no use, and it takes nothing away."""
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a")
    await bench.receive(shard, visibility=10)
    now = bench.store.now()
    await bench.ask(shard, Append(now, [Record(b"later", now)], [now + 10]))
    bench.store.time += 10
    assert shard.wants_fetch(bench.store.now())
    reading = shard.fetch(bench.store.now())
    await shard.take()
    shard.collect(bench.store.now())
    await reading
    received = await bench.receive(shard) + await bench.receive(shard)
    assert sorted(values(received)) == [b"a", b"later"]


async def test_large_records_that_are_due_are_not_read_all_at_once() -> None:
    bench = Bench()
    shard = bench.open(1)
    large = bytes(READ_AHEAD_BYTES // 2)
    await bench.send(shard, *[large] * 8)
    while shard.counts.in_flight < 8:
        await bench.receive(shard, visibility=10)
    bench.store.time += 10
    reads = bench.store.reads
    assert values(await bench.receive(shard, limit=1)) == [large]
    assert bench.store.reads - reads <= 3


async def test_a_burst_of_delayed_records_enters_the_log_in_parts() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    records = [Record(b"%d" % number, now) for number in range(100)]
    await bench.ask(shard, Append(now, records, [now + 10] * 100))
    bench.store.time += 10
    await shard.fetch(bench.store.now())
    tick = shard.collect(bench.store.now())
    assert tick
    assert len(tick.undelay) <= 32
    [outcome] = await bench.store.write([tick])
    shard.complete(outcome)
    assert len(await bench.receive(shard, limit=100)) == len(tick.undelay)
    await bench.turn()
    assert (shard.counts.delayed, shard.counts.visible + shard.counts.in_flight) == (0, 100)


async def test_what_is_remembered_of_deliveries_in_vain_is_bounded() -> None:
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, in_flight=2))
    await bench.send(shard, *[b"%d" % number for number in range(10)])
    for _ in range(5):
        assert len(await bench.receive(shard, visibility=10)) == 2
        bench.store.time += 10
        assert shard.lanes[0].cursor.due + shard.counts.in_flight <= 2


async def test_a_due_record_that_is_gone_from_the_store_is_not_counted_for_ever() -> None:
    bench = Bench()
    shard = bench.open(1)
    await bench.send(shard, b"a")
    await bench.receive(shard, visibility=10)
    bench.inner.shards[1].segments.clear()
    bench.store.time += 10
    assert await bench.receive(shard) == []
    assert shard.counts.visible == 0


async def test_a_closed_shard_refuses_what_is_asked() -> None:
    bench = Bench()
    shard = bench.open(1)
    now = bench.store.now()
    waiting: list[Request[Any]] = [Receive(now, 1, 1000, now + 1000), Append(now, [Record(b"a", now)], [None])]
    for request in waiting:
        shard.ask(request)
    shard.close(QueueNotFound())
    assert [type(request.future.exception()) for request in waiting] == [QueueNotFound, QueueNotFound]
    with pytest.raises(QueueNotFound):
        shard.ask(Purge(now))
    assert bench.waiting_bytes == 0


async def test_what_is_due_leaves_when_so_many_deliveries_become_enough() -> None:
    bench = Bench()
    dead = bench.open(2)
    shard = bench.open(1, structs.replace(POLICY, max_receives=3, dead_letter=2))
    await bench.send(shard, b"a", b"b")
    for visibility in (0, 0):
        await bench.receive(shard, 1, visibility)
    assert shard.lanes[0].cursor.due == 2 - 1
    shard.set_policy(structs.replace(shard.policy, max_receives=2))
    assert values(await bench.receive(shard)) == [b"b"]
    await bench.move(shard)
    assert values(await bench.receive(dead)) == [b"a"]


async def test_no_more_leave_than_may_be_in_flight() -> None:
    """While their target is full, more would only fill the memory."""
    bench = Bench()
    shard = bench.open(1, structs.replace(POLICY, in_flight=2, max_receives=1, dead_letter=2))
    await bench.send(shard, b"a", b"b", b"c")
    for _ in range(3):
        await bench.receive(shard, visibility=0)
    assert shard.leaving == 2
    bench.open(2)
    await bench.move(shard)
    assert values(await bench.receive(shard)) == [b"c"]
