import pytest

from quintet_broker.engine import deduplication
from quintet_broker.engine.deduplication import BUCKET, WINDOW, Deduplication, Sent, bucket_of

NOW = 1_800_000_000_000


def hashed(number: int) -> bytes:
    return b"\0\0" + number.to_bytes(14)


def test_an_id_is_known_for_five_minutes_and_at_most_one_bucket_longer() -> None:
    known = Deduplication()
    known.add(hashed(1), Sent(b"m" * 16, 7), NOW)
    assert known.find(hashed(1), NOW + WINDOW) == Sent(b"m" * 16, 7)
    assert known.find(hashed(1), NOW + WINDOW + BUCKET) is None
    assert known.find(hashed(2), NOW) is None


def test_of_an_id_that_came_again_later_the_later_one_counts() -> None:
    known = Deduplication()
    known.add(hashed(1), Sent(b"m" * 16, 7), NOW)
    later = NOW + WINDOW + BUCKET
    known.add(hashed(1), Sent(b"n" * 16, 8), later)
    assert known.find(hashed(1), later) == Sent(b"n" * 16, 8)


def test_bytes_that_only_look_like_an_id_are_none() -> None:
    known = Deduplication()
    looks_like = b"\0\0" + b"x" * 14
    known.add(hashed(1), Sent(looks_like, 7), NOW)
    assert known.find(looks_like, NOW) is None
    known.add(looks_like, Sent(b"n" * 16, 8), NOW)
    known.add(hashed(2), Sent(looks_like, 9), NOW)
    assert known.find(looks_like, NOW) == Sent(b"n" * 16, 8)


def test_what_the_store_keeps_is_all_that_is_needed() -> None:
    known = Deduplication()
    buckets: dict[int, bytes] = {}
    for number in range(100):
        at = NOW + number * 1000
        entry = known.add(hashed(number), Sent(b"m" * 16, number), at)
        buckets[bucket_of(at)] = buckets.get(bucket_of(at), b"") + entry
    first, last = map(int, known.first_and_last.split(":"))
    assert {*buckets} == {*range(first, last + 1)}
    loaded = Deduplication.load(buckets)
    for number in range(100):
        assert loaded.find(hashed(number), NOW + 100_000) == Sent(b"m" * 16, number)


def test_it_is_bounded_and_takes_more_once_some_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deduplication, "MAX_IDS", 2)
    known = Deduplication()
    for number in range(2):
        assert not known.is_full(NOW)
        known.add(hashed(number), Sent(b"m" * 16, number), NOW)
    assert known.is_full(NOW)
    later = NOW + WINDOW + BUCKET
    assert not known.is_full(later)
    assert (known.buckets, known._slots) == ({}, {})
