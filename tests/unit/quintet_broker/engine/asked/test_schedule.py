"""Times of keys: changed, dropped, taken in order, and kept in a bounded heap."""

import weakref

from quintet_broker.engine.asked.schedule import Schedule


def test_keys_are_taken_in_the_order_of_their_times() -> None:
    schedule: Schedule[str] = Schedule()
    for key, time in ("late", 30), ("early", 10), ("middle", 20):
        schedule.set(key, time)
    assert schedule.next() == 10
    assert schedule.take(20) == ["early", "middle"]
    assert schedule.take(20) == []
    assert schedule.next() == 30


def test_a_key_has_one_time() -> None:
    schedule: Schedule[str] = Schedule()
    for time in 10, 20, 10, 15:
        schedule.set("key", time)
    assert schedule.take(14) == []
    assert schedule.take(15) == ["key"]
    assert schedule.next() is None


def test_a_dropped_key_is_not_taken() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.set("gone", 10)
    schedule.set("kept", 20)
    schedule.drop("gone")
    schedule.drop("never there")
    assert schedule.next() == 20
    assert schedule.take(20) == ["kept"]


def test_a_time_that_changes_often_takes_no_room() -> None:
    """As that of a shard whose last append is ever newer does."""
    schedule: Schedule[str] = Schedule()
    for time in range(10_000):
        schedule.set("key", 1_000_000 + time)
    assert len(schedule) < 100
    assert schedule.next() == 1_009_999


def test_a_dropped_key_is_not_kept() -> None:
    """A receive that was answered is such a key, and holds its answer."""

    class Key:
        pass

    schedule: Schedule[Key] = Schedule()
    schedule.set(first := Key(), 10)
    gone = Key()
    known = weakref.ref(gone)
    schedule.set(gone, 20)
    schedule.set(gone, 30)
    schedule.drop(gone)
    del gone
    assert known() is None
    assert schedule.take(40) == [first]
