import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.records.record import MAX_BATCH_BYTES, Record, decode, encode, encode_sparse, gather

headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=4).map(tuple)
records = st.builds(
    Record,
    value=st.binary(max_size=2000),
    timestamp=st.integers(0, 2**42),
    key=st.none() | st.binary(max_size=20),
    headers=headers,
)


@given(st.lists(records, min_size=1, max_size=20), st.integers(0, 2**60), st.integers(0, 2**31 - 1))
def test_a_batch_decodes_to_what_was_encoded(some: list[Record], base: int, epoch: int) -> None:
    assert decode(encode(some, base, epoch)) == list(enumerate(some, base))


def test_a_batch_is_kafkas() -> None:
    batch = encode([Record(b"a", 1), Record(b"b", 2)], base=258, epoch=7)
    assert batch[:8] == (258).to_bytes(8)
    assert int.from_bytes(batch[8:12]) == len(batch) - 12
    assert batch[12:16] == (7).to_bytes(4)
    assert batch[16] == 2


def test_a_damaged_batch_is_refused() -> None:
    batch = bytearray(encode([Record(b"value", 1)]))
    batch[-2] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        decode(bytes(batch))


@given(st.lists(st.integers(0, MAX_BATCH_BYTES + 10), max_size=12))
def test_gathering_keeps_order_and_bounds(sizes: list[int]) -> None:
    some = [Record(bytes(size), number) for number, size in enumerate(sizes)]
    batches = gather(some)
    assert [record for batch in batches for record in batch] == some
    for batch in batches:
        assert len(batch) == 1 or sum(record.size for record in batch) <= MAX_BATCH_BYTES


def test_a_batch_may_lack_offsets() -> None:
    records = [(70, Record(b"a", 1)), (75, Record(b"b", 2, b"key", (("name", b"value"),))), (100_000, Record(b"c", 3))]
    batch = encode_sparse(records, epoch=3)
    assert decode(batch) == records
    assert int.from_bytes(batch[12:16]) == 3
