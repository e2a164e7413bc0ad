"""Records that wait to be due, and when to look for them."""

from typing import cast

from quintet_broker.engine.records.record import Record, encode
from quintet_broker.engine.state.delayed import AT_ONCE, Delayed
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Tick
from tests.unit.fake_store import FakeStore


async def store_of(*due: int) -> Store:
    """A store in which a record waits until each of these milliseconds."""
    store = FakeStore()
    await store.take(1)
    batches = [(time, encode([Record(b"%d" % number, 0)])) for number, time in enumerate(due)]
    await store.write([Tick(1, epoch=1, number=1, tails={0: 0}, delay=batches)])
    return cast(Store, store)


async def test_what_is_due_is_found_once_until_it_was_moved() -> None:
    store = await store_of(10, 20)
    delayed = Delayed(2, 10)
    assert not delayed.wants_fetch(9)
    assert delayed.wants_fetch(10)
    await delayed.fetch(store, 1, 10)
    delayed.add(5)
    assert not delayed.wants_fetch(10)
    _, records = delayed.take()
    assert [record.value for record in records] == [b"0"]
    assert delayed.count == 2
    assert delayed.take() == ([], [])
    delayed.moved()
    assert delayed.wants_fetch(10)


async def test_a_damaged_record_does_not_hold_up_the_others() -> None:
    store = FakeStore()
    await store.take(1)
    good = encode([Record(b"good", 0)])
    await store.write([Tick(1, epoch=1, number=1, tails={0: 0}, delay=[(1, good[:-1] + b"?"), (2, good)])])
    delayed = Delayed(2, 1)
    await delayed.fetch(cast(Store, store), 1, 2)
    found, records = delayed.take()
    assert (len(found), [record.value for record in records], delayed.count) == (2, [b"good"], 0)


async def test_where_nothing_is_due_the_next_is_looked_up() -> None:
    store = await store_of(20)
    delayed = Delayed(1, 0)
    await delayed.fetch(store, 1, 10)
    assert delayed.next_due == 20


async def test_one_that_comes_during_a_look_is_not_forgotten() -> None:
    store = await store_of()
    delayed = Delayed(0, 0)
    look = delayed.fetch(store, 1, 10)
    delayed.add(15)
    await look
    delayed.add(12)
    assert delayed.next_due == 12


async def test_few_are_moved_at_once() -> None:
    store = await store_of(*range(3 * AT_ONCE))
    delayed = Delayed(3 * AT_ONCE, 0)
    await delayed.fetch(store, 1, 1000)
    found, records = delayed.take()
    assert len(found) == len(records) == AT_ONCE
    assert delayed.count == 2 * AT_ONCE
