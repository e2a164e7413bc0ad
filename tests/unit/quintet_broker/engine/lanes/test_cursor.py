import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.lanes.bitmaps import BITMAP_OFFSETS
from quintet_broker.engine.lanes.cursor import NOBODYS, Cursor
from quintet_broker.engine.records.reason import Reason
from quintet_broker.errors import ReceiptStale


def stored(cursor: Cursor, fields: dict[str, bytes]) -> dict[str, bytes]:
    """The fields with the cursor's changes applied, as a store would keep them."""
    for name, value in cursor.changes().items():
        fields.pop(name, None)
        if value is not None:
            fields[name] = value if isinstance(value, bytes) else str(value).encode()
    return fields


def test_in_order_acknowledgements_keep_no_bitmap() -> None:
    cursor = Cursor()
    cursor.deliver(0, 3, now=0, deadline=10, nonce=1)
    for offset in range(3):
        cursor.acknowledge(offset, 1)
    assert (cursor.acknowledged_to, cursor.in_flight) == (3, 0)
    assert set(stored(cursor, {})) == {"to:0", "read:0"}


def test_out_of_order_acknowledgements_wait_for_the_first() -> None:
    cursor = Cursor()
    cursor.deliver(0, 3, now=0, deadline=10, nonce=1)
    cursor.acknowledge(2, 1)
    cursor.acknowledge(1, 1)
    assert (cursor.acknowledged_to, cursor.in_flight) == (0, 1)
    cursor.acknowledge(0, 1)
    assert cursor.acknowledged_to == 3


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The offsets that a cursor looks at one by one: with many, a broker would stand still meanwhile."""
    seen: list[int] = []
    is_acknowledged = Cursor.is_acknowledged

    def look(cursor: Cursor, offset: int) -> bool:
        seen.append(offset)
        return is_acknowledged(cursor, offset)

    monkeypatch.setattr(Cursor, "is_acknowledged", look)
    return seen


def test_the_first_of_many_acknowledged_last_is_as_quick_as_any(looks: list[int]) -> None:
    cursor = Cursor()
    many = 20 * BITMAP_OFFSETS
    cursor.deliver(0, many + 7, now=0, deadline=10, nonce=1)
    for offset in range(1, many + 5):
        cursor.acknowledge(offset, 1)
    looks.clear()
    cursor.acknowledge(0, 1)
    assert cursor.acknowledged_to == many + 5
    assert len(looks) < 3 * BITMAP_OFFSETS


def test_to_take_all_records_out_of_a_range_is_as_quick_as_one_by_one(looks: list[int]) -> None:
    cursor = Cursor()
    cursor.deliver(0, 1000, now=0, deadline=10, nonce=1)
    for offset in range(1000):
        cursor.leave(offset, target=2, sequence=offset, reason=Reason.MAX_RECEIVES)
    assert (cursor.in_flight, len(cursor.leaving)) == (0, 1000)
    assert len(looks) < 10_000


def test_acknowledging_again_is_fine_and_counts_once() -> None:
    cursor = Cursor()
    cursor.deliver(0, 2, now=0, deadline=10, nonce=1)
    for _ in range(2):
        cursor.acknowledge(1, 1)
    assert cursor.in_flight == 1


def test_a_receipt_of_an_earlier_delivery_is_stale() -> None:
    cursor = Cursor()
    cursor.deliver(0, 1, now=5, deadline=10, nonce=1)
    assert [found.offset for found in cursor.expire(10)] == [0]
    again = cursor.deliver(0, 1, now=10, deadline=20, nonce=2)
    assert (again.deliveries, again.first_received) == (2, 5)
    with pytest.raises(ReceiptStale):
        cursor.acknowledge(0, 1)
    cursor.acknowledge(0, 2)


def test_extending_one_record_leaves_its_neighbours() -> None:
    cursor = Cursor()
    cursor.deliver(0, 5, now=0, deadline=10, nonce=1)
    cursor.extend(2, 1, 1, 50)
    due = [offset for found in cursor.expire(10) for offset in cursor.live(found)]
    assert due == [0, 1, 3, 4]
    assert (cursor.in_flight, cursor.due) == (1, 4)


def test_a_delivery_given_back_does_not_count() -> None:
    cursor = Cursor()
    cursor.deliver(0, 1, now=5, deadline=10, nonce=1)
    cursor.give_back(0, 1, 1, now=5)
    assert [found.deliveries for found in cursor.expire(5)] == [0]
    assert cursor.deliver(0, 1, now=7, deadline=20, nonce=2).first_received == 7


def test_what_nobody_holds_no_receipt_names() -> None:
    """A made-up one would else take a delivery off that never was, which cannot be stored."""
    cursor = Cursor()
    cursor.deliver(0, 1, now=5, deadline=10, nonce=1)
    cursor.give_back(0, 1, 1, now=5)
    with pytest.raises(ReceiptStale):
        cursor.give_back(0, NOBODYS, 1, now=5)
    assert [found.deliveries for found in cursor.expire(5)] == [0]
    with pytest.raises(ReceiptStale):
        cursor.acknowledge(0, NOBODYS)
    with pytest.raises(ReceiptStale):
        cursor.extend(0, NOBODYS, 1, deadline=20)


def test_a_record_that_leaves_is_acknowledged_when_it_arrived() -> None:
    cursor = Cursor()
    cursor.deliver(0, 2, now=0, deadline=10, nonce=1)
    cursor.leave(0, target=9, sequence=4, reason=Reason.MAX_RECEIVES)
    assert (cursor.in_flight, cursor.acknowledged_to) == (1, 0)
    fields = stored(cursor, {})
    loaded = Cursor.load(0, fields, [])
    assert [(gone.target, gone.sequence) for gone in loaded.leaving.bound_for(9)] == [(9, 4)]
    loaded.left(0)
    assert (loaded.acknowledged_to, len(loaded.leaving)) == (1, 0)
    assert "leave:0:0" not in stored(loaded, fields)


def test_a_record_that_left_is_not_confirmed_as_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lives on elsewhere. This is remembered across a change of owner, and for so many records only."""
    monkeypatch.setattr("quintet_broker.engine.lanes.leaving.LEFT_REMEMBERED", 2)
    cursor = Cursor()
    cursor.deliver(0, 3, now=0, deadline=10, nonce=1)
    fields: dict[str, bytes] = {}
    for offset in range(3):
        cursor.leave(offset, target=9, sequence=offset, reason=Reason.MAX_RECEIVES)
        cursor.left(offset)
        fields = stored(cursor, fields)
    loaded = Cursor.load(0, fields, [])
    for place in cursor, loaded:
        place.acknowledge(0, 1)
        for offset in 1, 2:
            with pytest.raises(ReceiptStale):
                place.acknowledge(offset, 1)
    assert [name for name in fields if name.startswith("left:")] == ["left:0:1", "left:0:2"]


def test_a_record_that_cannot_leave_is_due_again() -> None:
    cursor = Cursor()
    cursor.deliver(0, 1, now=0, deadline=10, nonce=1)
    cursor.leave(0, target=9, sequence=4, reason=Reason.MAX_RECEIVES)
    cursor.stay(0, now=20)
    assert [found.deliveries for found in cursor.expire(20)] == [1]


def test_gaps_are_neither_unread_nor_waited_for() -> None:
    cursor = Cursor.load(0, {"read:0": b"3", "to:0": b"1"}, [(3, 1000)])
    assert cursor.unread(1002) == 2
    cursor.deliver(1000, 2, now=0, deadline=10, nonce=1)
    assert cursor.read_to == 1002


def test_a_gap_is_crossed_once_everything_before_is_acknowledged() -> None:
    cursor = Cursor()
    cursor.deliver(0, 2, now=0, deadline=10, nonce=1)
    loaded = Cursor.load(0, stored(cursor, {}), [(2, 1000)])
    loaded.acknowledge(0, 1)
    assert loaded.acknowledged_to == 1
    loaded.acknowledge(1, 1)
    assert loaded.acknowledged_to == 1000


verbs = st.lists(
    st.tuples(
        st.sampled_from(
            ["deliver", "pass_over", "acknowledge", "extend", "expire", "again", "seek", "leave", "left", "give_back"]
        ),
        st.integers(0, 3 * BITMAP_OFFSETS),
        st.integers(1, BITMAP_OFFSETS),
    ),
    max_size=40,
)


@given(verbs)
def test_it_is_loaded_as_it_was(steps: list[tuple[str, int, int]]) -> None:
    """After any verbs, what is stored describes the same cursor, and its counters are true."""
    cursor = Cursor()
    fields: dict[str, bytes] = {}
    for now, (verb, place, count) in enumerate(steps, 1):
        step(cursor, verb, place, count, now)
        fields = stored(cursor, fields)
        loaded = Cursor.load(0, dict(fields), [])
        loaded.expire(now)
        cursor.expire(now)
        assert summary(loaded) == summary(cursor)
        for start, end in (0, cursor.read_to), (cursor.read_to // 3, cursor.read_to // 2):
            live = sum(not cursor.is_acknowledged(offset) for offset in range(start, end))
            assert cursor.alive(start, end) == live
        assert cursor.in_flight == sum(r.left for r in cursor._ranges if not r.due)
        assert cursor.due == sum(r.left for r in cursor._ranges if r.due)


def step(cursor: Cursor, verb: str, place: int, count: int, now: int) -> None:
    offset = place % (cursor.read_to + 1)
    found = cursor._ranges.find(offset)
    held = found is not None and found.nonce == 1 and not cursor.is_acknowledged(offset)
    if verb == "deliver":
        cursor.deliver(cursor.read_to, count, now, now + count % 7, nonce=1)
    elif verb == "pass_over":
        cursor.pass_over(cursor.read_to, count)
    elif verb == "expire":
        cursor.expire(now)
    elif verb == "seek":
        cursor.seek(offset)
    elif verb == "left":
        cursor.left(offset)
    elif held and verb == "acknowledge":
        cursor.acknowledge(offset, 1)
    elif held and verb == "extend":
        cursor.extend(offset, 1, 1, now + count % 7)
    elif held and verb == "leave":
        cursor.leave(offset, 3, now, reason=Reason.MAX_RECEIVES)
    elif held and verb == "give_back":
        cursor.give_back(offset, 1, 1, now)
    elif verb == "again" and cursor.is_due(offset):
        cursor.deliver(offset, 1, now, now + 5, nonce=1)


def summary(cursor: Cursor) -> tuple[object, ...]:
    ranges = [(r.offset, r.count, r.deliveries, r.nonce, r.left, r.due) for r in cursor._ranges]
    bits = {number: bytes(b) for number, b in cursor._acknowledged_above._bitmaps.items()}
    return cursor.acknowledged_to, cursor.read_to, sorted(ranges), bits, set(cursor.leaving)


def test_what_is_due_is_known_the_longest_due_first_and_without_what_was_settled() -> None:
    cursor = Cursor()
    cursor.deliver(0, 3, now=0, deadline=20, nonce=1)
    cursor.deliver(3, 3, now=0, deadline=10, nonce=2)
    cursor.expire(10)
    cursor.expire(20)
    assert cursor.due_offsets(4) == [3, 4, 5, 0]
    cursor.acknowledge(3, 2)
    cursor.extend(4, 2, 1, deadline=30)
    cursor.deliver(1, 1, now=20, deadline=30, nonce=3)
    assert sorted(cursor.due_offsets(10)) == [0, 2, 5]
    cursor.seek(6)
    assert cursor.due_offsets(10) == []


def test_what_was_passed_over_is_one_range_and_delivered_out_of_it() -> None:
    cursor = Cursor()
    cursor.deliver(0, 1, now=0, deadline=10, nonce=1)
    for offset in range(1, 1001):
        cursor.pass_over(offset, 1)
    fields = stored(cursor, {})
    assert len([name for name in fields if name.startswith("range:")]) == 2
    loaded = Cursor.load(0, fields, [])
    loaded.expire(now=1)
    assert (loaded.due, loaded.in_flight, loaded.unread(1001)) == (1000, 1, 0)
    found = loaded.deliver(500, 2, now=5, deadline=10, nonce=2)
    assert (found.deliveries, found.first_received) == (1, 5)
    assert (loaded.due, loaded.in_flight) == (998, 3)


def test_it_tells_what_is_due_from_what_is_held() -> None:
    cursor = Cursor()
    cursor.deliver(0, 2, now=0, deadline=10, nonce=1)
    cursor.pass_over(2, 2)
    cursor.deliver(4, 3, now=0, deadline=5, nonce=2)
    cursor.deliver(7, 2, now=0, deadline=10, nonce=3)
    cursor.expire(5)
    cursor.acknowledge(4, 2)
    cursor.leave(8, target=9, sequence=0, reason=Reason.MAX_RECEIVES)
    assert sorted(cursor.held()) == [0, 1, 7, 8]
    assert [cursor.next_due(offset) for offset in (0, 3, 4, 6, 7, 20)] == [2, 3, 5, 6, 9, 20]


def test_a_delivery_out_of_many_that_were_passed_over_is_as_quick_as_any(looks: list[int]) -> None:
    cursor = Cursor()
    cursor.pass_over(0, 100_000)
    for offset in range(0, 100_000, 100):
        cursor.deliver(offset, 1, now=0, deadline=10, nonce=1)
    assert len(looks) < 10_000
