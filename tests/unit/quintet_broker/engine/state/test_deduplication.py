import asyncio
from collections import defaultdict

from quintet_broker.engine.requests import Sent
from quintet_broker.engine.state.deduplication import BUCKET, LOADED_AT_ONCE, WINDOW, Deduplication
from tests.unit.fake_store import FakeStore

NOW = 1_800_000_000_000


def hashed(number: int) -> bytes:
    return number.to_bytes(16, "little")


def sent(number: int) -> Sent:
    return Sent((2**100 + number).to_bytes(16), number)


def known(*numbers: int, at: int = NOW) -> Deduplication:
    found = Deduplication()
    found.add([hashed(number) for number in numbers], [sent(number) for number in numbers], at)
    return found


def test_an_id_is_known_for_five_minutes_and_at_most_one_bucket_longer() -> None:
    found = known(1)
    assert found.find(hashed(1), NOW + WINDOW) == sent(1)
    assert found.find(hashed(2), NOW) is None
    assert found.find(hashed(1), NOW + WINDOW + BUCKET) is None


def test_of_an_id_that_came_again_later_the_later_one_counts() -> None:
    found = known(1)
    later = NOW + WINDOW + BUCKET
    found.add([hashed(1)], [sent(8)], later)
    assert found.find(hashed(1), later) == sent(8)


def test_what_is_known_of_a_send_is_told_by_id() -> None:
    found = known(1, 2, 5)
    assert found.known([hashed(2), hashed(3), hashed(5)], NOW) == {hashed(2): sent(2), hashed(5): sent(5)}


def test_ids_and_sequences_that_do_not_follow_each_other_are_kept_as_they_are() -> None:
    found = Deduplication()
    some = [Sent(b"b" * 16, 7), Sent(b"a" * 16, 8), Sent(b"a" * 16, 10), Sent(b"\xff" * 16, 11), Sent(b"\0" * 16, 12)]
    found.add([hashed(number) for number in range(5)], some, NOW)
    assert [found.find(hashed(number), NOW) for number in range(5)] == some


def test_what_came_is_let_go_when_it_is_too_old() -> None:
    found = known(*range(10_000))
    later = NOW + WINDOW + BUCKET
    found.add([hashed(10_000)], [sent(10_000)], later - BUCKET)
    found.forget(later)
    assert (len(found), len(found.buckets)) == (1, 1)
    assert found.find(hashed(10_000), later) == sent(10_000)
    found.add([hashed(10_001)], [sent(10_001)], later)
    assert found.size < 1000
    found.forget(later + WINDOW + BUCKET)
    assert (len(found), found.buckets) == (0, {})
    assert found.size < 1000


async def test_what_the_store_keeps_is_all_that_is_needed() -> None:
    first = Deduplication()
    buckets: dict[int, bytes] = defaultdict(bytes)
    for number in range(100):
        some = [2 * number, 2 * number + 1]
        first.add([hashed(one) for one in some], [sent(one) for one in some], NOW + number * 1000)
        buckets[first.last_bucket] += first.take_added()
    assert first.take_added() == b""
    assert first.first_and_last == f"{min(buckets)}:{max(buckets)}"
    # One that is gone, and what was never there, is nothing.
    first.forget(NOW + WINDOW + BUCKET)
    del buckets[min(buckets)]
    loaded = await load(buckets, [0, *buckets])
    assert len(loaded) == len(first)
    asked = [hashed(number) for number in range(200)]
    assert loaded.known(asked, NOW + 99_000) == first.known(asked, NOW + 99_000)


async def test_it_is_loaded_in_parts_and_added_to() -> None:
    count = 3 * LOADED_AT_ONCE
    first = known(*range(count))
    loaded = await load({first.last_bucket: first.take_added()}, [first.last_bucket])
    # Another owner's clock may be behind.
    loaded.add([hashed(count)], [sent(count)], NOW - BUCKET)
    asked = [hashed(number) for number in range(count + 1)]
    assert loaded.known(asked, NOW) == {one: sent(number) for number, one in enumerate(asked)}
    assert loaded.first_and_last == first.first_and_last


async def test_what_grows_too_old_while_it_is_loaded_is_let_go_afterwards() -> None:
    count = 3 * LOADED_AT_ONCE
    first = known(*range(count))
    store = FakeStore()
    store._of(1).buckets[first.last_bucket] = first.take_added()
    loaded = Deduplication([first.last_bucket])
    later = NOW + WINDOW + BUCKET
    loading = asyncio.create_task(loaded.fetch(store, 1))
    # It has begun, and gives way to others.
    await asyncio.sleep(0)
    loaded.forget(later)
    assert len(loaded)
    assert not loading.done()
    await loading
    assert loaded.known([hashed(number) for number in range(count)], later) == {}


async def load(buckets: dict[int, bytes], numbers: list[int]) -> Deduplication:
    store = FakeStore()
    store._of(1).buckets.update(buckets)
    loaded = Deduplication(numbers)
    while not loaded.is_complete:
        await loaded.fetch(store, 1)
    return loaded
