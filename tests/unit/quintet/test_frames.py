"""What the client writes, the broker reads, and the other way round."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

import quintet
from quintet import NewMessage, frames
from quintet_broker.protocols.websocket import codec, mapping
from quintet_broker.services import messages

contents = st.binary(max_size=20) | st.text(max_size=20, alphabet=st.characters(exclude_categories=["Cs"]))
numbers = st.integers(0, 2**53 - 1)
receipts = st.lists(st.text("abc_-", min_size=1, max_size=20), min_size=1, max_size=5)


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


@given(
    contents, st.none() | contents, st.dictionaries(st.text("abc", min_size=1), contents), st.none() | st.floats(0, 900)
)
def test_broker_reads_the_messages_that_the_client_writes(
    value: str | bytes, key: str | bytes | None, headers: dict[str, str | bytes], delay: float | None
) -> None:
    record = frames.new_record(NewMessage(value, key, headers, delay, deduplication_id="d"))
    read = codec.decode(frames.encode(frames.Send(5, "orders", 7, 3, [Raw(record)])))
    assert (read.id, read.queue, read.producer, read.sequence) == (5, "orders", 7, 3)
    message = mapping.new_message(read.records[0])
    assert message.value == _bytes(value)
    assert message.key == (None if key is None else _bytes(key))
    assert dict(message.headers) == {name: _bytes(content) for name, content in headers.items()}
    assert message.delay == (None if delay is None else pytest.approx(delay, abs=0.0006))
    assert message.deduplication_id == "d"


@given(
    st.one_of(
        st.builds(frames.Hello, st.lists(numbers)),
        st.builds(frames.Receive, numbers, st.text(), st.integers(1, 1000), st.booleans(),
                  st.none() | st.integers(0, 20_000), st.none() | numbers),
        st.builds(frames.Credit, numbers, st.integers(1, 1000)),
        st.builds(frames.Cancel, numbers),
        st.builds(frames.Acknowledge, numbers, st.text(), receipts),
        st.builds(frames.Release, numbers, st.text(), receipts, st.booleans()),
        st.builds(frames.Extend, numbers, st.text(), st.lists(st.tuples(st.text(), numbers), min_size=1)),
    )
)  # fmt: skip
def test_broker_reads_the_frames_that_the_client_writes(frame: Any) -> None:
    read = codec.decode(frames.encode(frame))
    assert type(read).__name__ == type(frame).__name__
    assert msgspec.to_builtins(read) == msgspec.to_builtins(frame)


messages_delivered = st.builds(
    messages.Message,
    id=st.uuids().map(str),
    receipt=st.text(),
    value=st.binary(),
    key=st.none() | st.binary(),
    headers=st.dictionaries(st.text(), st.binary()).map(lambda headers: tuple(headers.items())),
    system=st.just(()),
    sent_at=numbers,
    first_received_at=numbers,
    deliveries=st.integers(1, 1000),
    dead_letter=st.none() | st.builds(messages.DeadLetter, st.text(), st.text(), numbers, numbers),
    priority=st.none() | st.integers(1, 10),
    sequence=st.none() | numbers,
    expires_at=st.none() | numbers,
    deduplication_id=st.none() | st.text(),
)


@given(messages_delivered)
def test_client_reads_the_messages_that_the_broker_writes(message: messages.Message) -> None:
    queue: Any = None
    [read] = frames.decode(codec.encode(codec.Deliver(1, [mapping.delivered(message)], open=True))).of(queue)
    for name in "id", "receipt", "value", "deliveries", "sent_at", "first_received_at", "priority", "expires_at":
        assert getattr(read, name) == getattr(message, name)
    assert (read.key.encode(errors="surrogateescape") if read.key is not None else None) == message.key
    headers = {name: text.encode(errors="surrogateescape") for name, text in read.headers.items()}
    assert headers == dict(message.headers)
    if message.dead_letter:
        assert read.dead_letter == quintet.DeadLetter(*msgspec.structs.astuple(message.dead_letter))


@given(
    st.one_of(
        st.builds(codec.Welcome, numbers, st.text()),
        st.builds(codec.Confirm, numbers, st.lists(st.text())),
        st.builds(codec.Settled, numbers, st.lists(st.none() | st.tuples(st.text(), numbers, st.text()))),
        st.builds(codec.Refused, numbers, st.text(), numbers, st.text()),
        st.builds(codec.Moved, st.text(), st.text()),
    )
)
def test_client_reads_the_frames_that_the_broker_writes(frame: Any) -> None:
    assert type(frames.decode(codec.encode(frame))).__name__ == type(frame).__name__


@given(st.binary(max_size=20))
def test_bytes_that_are_not_text_survive_the_way_through_text(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    record = msgspec.msgpack.decode(frames.new_record(NewMessage(b"", key=text)), type=codec.NewRecord)
    assert record.key == content


@pytest.mark.parametrize("message", [NewMessage(5), NewMessage("", key=1), NewMessage("", headers={"a": 1.5})])  # type: ignore[arg-type, dict-item]
def test_what_is_no_text_and_no_bytes_is_refused_at_once(message: NewMessage) -> None:
    with pytest.raises(TypeError, match="text or bytes are wanted, not"):
        frames.new_record(message)


@given(st.binary(max_size=100))
def test_what_is_no_frame_is_told_so_by_the_client(body: bytes) -> None:
    try:
        frames.decode(body)
    except ValueError:
        return
