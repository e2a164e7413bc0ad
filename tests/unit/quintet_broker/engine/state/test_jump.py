"""Which of a queue's shards takes a record."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.records.record import Record
from quintet_broker.engine.state.jump import hash_of, places_of

hashes = st.integers(0, 2**64 - 1)


def test_it_is_the_published_one() -> None:
    """As Guava tests its own: https://github.com/google/guava, HashingTest."""
    expected = [0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21, 90, 37, 38, 83]
    assert [places_of(hashed, 100)[-1] for hashed in range(20)] == expected


@given(hashes, st.integers(1, 32), st.integers(1, 32))
def test_a_key_moves_to_new_shards_alone(hashed: int, count: int, more: int) -> None:
    before, after = places_of(hashed, count), places_of(hashed, count + more)
    assert after[: len(before)] == before
    assert all(place >= count for place in after[len(before) :])


def test_keys_are_spread_evenly() -> None:
    keys = [Record(b"", 0, b"%d" % number) for number in range(8000)]
    found = Counter(places_of(hash_of(record, None, 0, ordered=False) or 0, 8)[-1] for record in keys)
    assert all(800 < found[place] < 1200 for place in range(8))


def test_what_has_no_key_goes_by_its_send() -> None:
    record = Record(b"", 0)
    assert hash_of(record, None, 0, ordered=False) is None
    assert hash_of(record, 7, 1, ordered=False) == hash_of(record, 7, 1, ordered=False)
    assert hash_of(record, 7, 1, ordered=False) != hash_of(record, 7, 2, ordered=False)
    assert hash_of(record, 7, 1, ordered=True) == hash_of(record, 8, 2, ordered=True)
