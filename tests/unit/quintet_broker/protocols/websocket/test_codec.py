"""What comes from anywhere is a frame, or a refusal that names it, or nothing of ours; never anything else."""

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.protocols.websocket import codec
from quintet_broker.protocols.websocket.codec import Malformed, Refusable

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
almost_frames = st.tuples(st.integers(0, 22), scalars).flatmap(
    lambda head: st.lists(anything, max_size=6).map(lambda rest: [*head, *rest])
)


@given(st.binary(max_size=200) | anything.map(msgpack.packb) | almost_frames.map(msgpack.packb))
def test_any_bytes(body: bytes) -> None:
    try:
        frame = codec.decode(body)
    except (Malformed, Refusable):
        return
    assert isinstance(frame, codec.Asked)


@given(st.integers(0, 2**53 - 1), st.lists(anything, max_size=4))
def test_refusal_names_the_frame(number: int, fields: list[Any]) -> None:
    with pytest.raises(Refusable) as caught:
        codec.decode(msgpack.packb([5, number, None, *fields]))
    assert caught.value.id == number


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", msgpack.packb({"a": 1})])
def test_hostile_bytes(body: bytes) -> None:
    with pytest.raises(Malformed):
        codec.decode(body)


def test_elements_that_are_not_known_are_passed_over() -> None:
    assert codec.decode(msgpack.packb([4, 7, "later", "versions"])) == codec.Cancel(7)


def test_what_is_too_many_is_refused_before_it_is_read() -> None:
    """Five million empty records in 15 MB would take 400 MB."""
    count = 5_000_000
    body = b"\x96\x01\x07\xa1a\xc0\x00\xdd" + count.to_bytes(4) + b"\x91\xc4\x00" * count
    tracemalloc.start()
    try:
        with pytest.raises(Refusable, match="10000") as caught:
            codec.decode(body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.id == 7
    assert most < 1_000_000
    with pytest.raises(Refusable, match="64"):
        codec.decode(msgpack.packb([1, 7, "a", None, 0, [[b"a", None, [["", b""]] * 257]]]))
