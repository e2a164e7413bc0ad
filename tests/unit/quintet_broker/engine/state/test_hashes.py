import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.state import hashes
from quintet_broker.engine.state.hashes import HASH_BYTES, Hashes

few = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES) | st.integers(0, 5).map(
    lambda number: bytes(15) + b"%d" % number
)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "_CHUNK", 8)
    monkeypatch.setattr(hashes, "_LEAST_CELLS", 2)
    monkeypatch.setattr(hashes, "_CELLS_AT_ONCE", 5)


@given(st.integers(0, 20), st.lists(st.tuples(st.lists(few, min_size=1, max_size=30), st.integers(0, 40))))
def test_each_is_found_at_its_last_place_as_long_as_it_is_there(
    expected: int, steps: list[tuple[list[bytes], int]]
) -> None:
    some = Hashes(expected)
    places: dict[bytes, int] = {}
    for added, forgotten in steps:
        start = some.next
        some.add(b"".join(added))
        places |= {hashed: place for place, hashed in enumerate(added, start)}
        some.forget(min(some.first + forgotten, some.next))
        places = {hashed: place for hashed, place in places.items() if place >= some.first}
        asked = [*dict.fromkeys([*added, *places, bytes(16)])]
        assert dict(some.find(asked)) == places
    assert len(some) == some.next - some.first


def test_places_are_counted_on_where_they_are_more_than_memory_tells_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "_PLACES", 64)
    some = Hashes()
    for number in range(1000):
        hashed = number.to_bytes(16, "little")
        assert dict(some.find([hashed])) == {}
        some.add(hashed)
        some.forget(max(some.first, some.next - 40))
        oldest = max(number - 39, 0).to_bytes(16, "little")
        assert dict(some.find([hashed, oldest])) == {oldest: max(some.first, 8), hashed: some.next - 1}


def test_one_takes_little_memory_also_while_the_index_grows() -> None:
    some = Hashes()
    most = 0.0
    for number in range(2000):
        some.add(number.to_bytes(16, "little"))
        if number > 100:
            most = max(most, some.size / len(some))
    assert most < 45
