"""Batches that are stored as clients encoded them."""

import struct
from collections.abc import Callable

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.records.group import group_of
from quintet_broker.engine.records.headers import NUMBER
from quintet_broker.engine.records.record import Record, decode, encode
from quintet_broker.engine.records.run import runs
from quintet_broker.engine.records.sealed import NotABatch, Sealed, first_id, is_intact, is_sealed, seal

NAMES = (2**63 - 1, 2**31 - 1)
headers = st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=20)), max_size=3).map(tuple)
records = st.lists(
    st.builds(
        Record,
        value=st.binary(max_size=300),
        timestamp=st.just(0),
        key=st.none() | st.binary(max_size=20),
        headers=headers,
    ),
    min_size=1,
    max_size=30,
)


def content(found: Record) -> tuple[bytes, bytes | None, object]:
    """Without the id, which comes first."""
    return found.value, found.key, found.headers[1:]


def sent(some: list[Record], now: int = 5) -> Sealed:
    sealed, _ = seal(encode(some), NAMES, now)
    return sealed


def ids(batch: Sealed) -> list[int]:
    return [int.from_bytes(record.headers[0][1]) for _, record in decode(batch.data)]


@given(records, st.integers(0, 2**50), st.integers(1, 5_000))
def test_parts_hold_all_in_order_with_their_ids_and_offsets(some: list[Record], base: int, most: int) -> None:
    whole = sent(some)
    parts = list(whole.parts(most))
    offset, found = base, []
    for part in parts:
        placed = part.placed(offset, epoch=3)
        assert is_sealed(placed.data)
        assert (placed.offset, placed.count) == (offset, part.count)
        assert part.size <= most or part.count == 1 or len(parts) == 1
        found += decode(placed.data)
        offset += part.count
    assert [place for place, _ in found] == list(range(base, base + len(some)))
    assert [content(record) for _, record in found] == [(r.value, r.key, r.headers) for r in some]
    assert [int.from_bytes(record.headers[0][1]) for _, record in found] == [
        whole.first_id + place for place in range(len(some))
    ]
    assert {record.timestamp for _, record in found} == {5}


@given(records, st.data())
def test_a_part_of_a_part_is_a_part(some: list[Record], data: st.DataObject) -> None:
    batch = sent(some)
    expected = ids(batch)
    for _ in range(3):
        place = data.draw(st.integers(0, batch.count - 1))
        count = data.draw(st.integers(1, batch.count - place))
        batch, expected = batch.part(place, count), expected[place : place + count]
        assert (ids(batch), batch.first_id, batch.count) == (expected, expected[0], len(expected))
        # What it was told of its records is what it would find.
        assert batch._records_end() == Sealed(batch.data)._records_end()


@given(records, st.integers(0, 2**60), st.data())
def test_records_keep_their_numbers_and_groups_in_every_part(
    some: list[Record], number: int, data: st.DataObject
) -> None:
    batch = sent(some)
    assert batch.first_number is None
    place = data.draw(st.integers(0, batch.count - 1))
    batch = batch.part(place, batch.count - place).numbered(number)
    place = data.draw(st.integers(0, batch.count - 1))
    part = batch.part(place, data.draw(st.integers(1, batch.count - place))).placed(7, 1)
    assert part.first_number == number + place
    found = decode(part.data)
    assert [record.header(NUMBER) for _, record in found] == [
        b"%d" % (number + place + further) for further in range(part.count)
    ]
    assert list(part.groups) == list(Sealed(part.data).groups) == [group_of(record) for _, record in found]


@given(records, st.integers(0, 1000), st.data())
def test_a_run_is_the_same_sealed_and_decoded(some: list[Record], offset: int, data: st.DataObject) -> None:
    [run] = runs(sent(some).placed(offset, 1).data)
    assert run.batch
    place = data.draw(st.integers(0, run.count - 1))
    count = data.draw(st.integers(1, run.count - place))
    part, opened = run.part(place, count), run.opened().part(place, count)
    assert (part.offset, part.count) == (opened.offset, opened.count) == (offset + place, count)
    assert list(part.records) == list(opened.records)
    assert opened.batch is None


def test_ids_are_uuids_of_version_8_and_follow_each_other() -> None:
    for names in (0, 0), NAMES, (5, 6):
        first = first_id(*names)
        assert (first >> 76 & 0xF, first >> 62 & 0x3, first & 0xFFFFFFF) == (8, 2, 0)
    assert len({first_id(producer, sequence) for producer in range(20) for sequence in range(20)}) == 400


def again(batch: bytearray) -> bytes:
    """With the CRC that fits."""
    struct.pack_into(">I", batch, 17, google_crc32c.value(bytes(batch[21:])))
    return bytes(batch)


def lying(change: Callable[[bytearray], None]) -> bytes:
    batch = bytearray(encode([Record(b"one", 0), Record(b"two", 0, b"key", (("name", b"value"),))]))
    change(batch)
    return again(batch)


def put(layout: str, at: int, value: int) -> Callable[[bytearray], None]:
    return lambda batch: struct.pack_into(layout, batch, at, value)


@pytest.mark.parametrize(
    "batch",
    [
        b"",
        bytes(60),
        bytes(61),
        lying(put(">b", 16, 1)),
        lying(put(">h", 21, 1)),
        lying(put(">h", 21, 0x10)),
        lying(put(">h", 21, 0x20)),
        lying(put(">i", 8, 10)),
        lying(put(">i", 57, 3)),
        lying(put(">i", 57, 1)),
        lying(put(">i", 57, 0)),
        lying(put(">i", 57, -1)),
        lying(put(">i", 57, 2**31 - 1)),
        lying(put(">i", 23, 5)),
        lying(lambda batch: batch.extend(b"more")),
        lying(lambda batch: batch.__setitem__(61, 0x7F)),
        lying(lambda batch: batch.__setitem__(64, 8)),
        lying(lambda batch: batch.__delitem__(slice(-4, None))),
        encode([Record(b"one", 0)])[:-1] + b"!",
    ],
)
def test_what_is_no_batch_is_refused(batch: bytes) -> None:
    with pytest.raises(NotABatch):
        seal(batch, NAMES, 0)


def test_a_number_that_goes_on_and_on_is_not_computed() -> None:
    batch = bytearray(encode([Record(b"one", 0)])[:61] + b"\xff" * 1_000_000)
    struct.pack_into(">i", batch, 8, len(batch) - 12)
    with pytest.raises(NotABatch, match="64 bits"):
        seal(again(batch), NAMES, 0)


@given(records, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_whatever_is_changed_in_one_it_is_refused_or_whole(
    some: list[Record], changes: list[tuple[int, int]], crc_fits: bool
) -> None:
    batch = bytearray(encode(some))
    for at, byte in changes:
        batch[at % len(batch)] = byte
    try:
        sealed, found = seal(again(batch) if crc_fits else bytes(batch), NAMES, 0)
    except NotABatch:
        return
    assert is_intact(sealed.data)
    assert len(decode(sealed.data)) == sealed.count == len(found)
    assert sum(part.count for part in sealed.parts(100)) == sealed.count


def test_a_batch_that_nobody_sealed_is_none() -> None:
    assert not is_sealed(encode([Record(b"value", 1)]))
