import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet import NewMessage, wire
from quintet_broker.protocols.http import codec, mapping

contents = st.binary(max_size=20) | st.text(max_size=20, alphabet=st.characters(exclude_categories=["Cs"]))


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


@given(
    contents, st.none() | contents, st.dictionaries(st.text("abc", min_size=1), contents), st.none() | st.floats(0, 900)
)
def test_broker_reads_what_the_client_writes(
    value: str | bytes, key: str | bytes | None, headers: dict[str, str | bytes], delay: float | None
) -> None:
    body = wire.send([wire.new_message(NewMessage(value, key, headers, delay))], 7, 3)
    read = codec.decode(body, codec.Send)
    message = mapping.new_message(read.messages[0], 0)
    assert message.value == _bytes(value)
    assert message.key == (None if key is None else _bytes(key))
    assert dict(message.headers) == {name: _bytes(content) for name, content in headers.items()}
    assert message.delay == (None if delay is None else pytest.approx(delay, abs=0.0006))
    assert read.producer == codec.Producer(7, 3)


@given(st.binary(max_size=20))
def test_bytes_that_are_not_text_survive_the_way_through_text(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    sent = json.loads(wire.new_message(NewMessage(b"", key=text)))
    assert wire.content(sent.get("key"), sent.get("keyBase64", "")) == content


@given(st.integers(0, 10**8))
def test_durations(milliseconds: int) -> None:
    assert wire.seconds(wire.duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
    assert wire.seconds("1h2m3s4ms") == pytest.approx(3723.004)


@pytest.mark.parametrize("message", [NewMessage(5), NewMessage("", key=1), NewMessage("", headers={"a": 1.5})])  # type: ignore[arg-type, dict-item]
def test_what_is_no_text_and_no_bytes_is_refused_at_once(message: NewMessage) -> None:
    with pytest.raises(TypeError, match="text or bytes are wanted, not"):
        wire.new_message(message)
