"""The bodies of /v1/, as the client writes and reads them."""

import base64
import re
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from quintet.errors import QuintetError, from_problem
from quintet.message import DeadLetter, NewMessage

Found = TypeVar("Found")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
RECEIPT_BYTES = 40
"""Of one receipt in a body, about."""

_ENCODER = msgspec.json.Encoder()


class Problem(Struct):
    """Why something was refused (RFC 9457)."""

    type: str
    status: int
    detail: str = ""

    def error(self) -> QuintetError:
        return from_problem(self.type, self.detail, self.status)


class Sent(Struct):
    ids: list[str]


class Results(Struct):
    results: list[Problem | None]


class Extension(Struct, rename="camel"):
    """Hides one message for so long from now."""

    receipt: str
    visibility_timeout: str


class Delivered(Struct, rename="camel"):
    """A message as /v1/ delivers it: what is not UTF-8 comes in the fields that end in Base64."""

    id: str
    receipt: str
    sent_at: int
    first_received_at: int
    deliveries: int
    value: str | None = None
    value_base64: str = ""
    key: str | None = None
    key_base64: str | None = None
    headers: dict[str, str] = {}
    headers_base64: dict[str, str] = {}
    priority: int | None = None
    expires_at: int | None = None
    dead_letter: DeadLetter | None = None


class Received(Struct):
    messages: list[Delivered]


class Counts(Struct, frozen=True, rename="camel"):
    """How many messages a queue holds, by what they wait for."""

    visible: int
    in_flight: int
    delayed: int


class Redrive(Struct, frozen=True, rename="camel"):
    """How far a redrive has come."""

    running: bool
    """Until the last message has arrived."""
    moved: int
    left: int
    """Messages that are still to be looked at."""
    rate: float | None
    """Messages a second."""
    started_at: int | None
    """Milliseconds since 1970; None where there was none yet."""


class QueueInfo(Struct, frozen=True, rename="camel"):
    """A queue as it is."""

    name: str
    origin: str
    """`Declared` by a manifest, or made at `Runtime` by a client."""
    spec: dict[str, Any]
    """The fields of a Queue manifest's spec, defaults filled in."""
    counts: Counts
    created_at: int
    """Milliseconds since 1970."""
    modified_at: int
    """Milliseconds since 1970."""


class Queues(Struct):
    queues: list[QueueInfo]


def decode(answer: bytes, kind: type[Found]) -> Found:
    """Raises QuintetError where the answer is no answer of a broker."""
    try:
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise QuintetError(f"The answer is not a broker's: {error}") from error


def path(queue: str) -> str:
    """Where a queue is, by its name."""
    return f"/v1/queues/{quote(queue, safe='')}"


def encode(body: Any) -> bytes:
    return _ENCODER.encode(body)


def new_message(message: NewMessage) -> bytes:
    """Raises TypeError, and ValueError for text that is not Unicode."""
    fields: dict[str, Any] = dict([_field("value", message.value)])
    if message.key is not None:
        fields |= [_field("key", message.key)]
    for name, content in message.headers.items():
        field, packed = _field("headers", content)
        fields.setdefault(field, {})[name] = packed
    if message.delay is not None:
        fields["delay"] = duration(message.delay)
    if message.priority is not None:
        fields["priority"] = message.priority
    if message.expiry is not None:
        fields["expiry"] = duration(message.expiry)
    if message.deduplication_id is not None:
        fields["deduplicationId"] = message.deduplication_id
    return encode(fields)


def send(messages: Sequence[bytes], producer: int, sequence: int) -> bytes:
    return encode({"messages": list(map(Raw, messages)), "producer": {"id": producer, "sequence": sequence}})


def unread(receipts: Sequence[str]) -> bytes:
    """The body that releases messages which nobody saw: their delivery does not count."""
    return encode({"receipts": receipts, "delivered": False})


def receipts(receipts: Sequence[str]) -> bytes:
    return encode({"receipts": receipts})


def extensions(extensions: Sequence[Extension]) -> bytes:
    return encode({"extensions": extensions})


def duration(seconds: float) -> str:
    """`1500ms` for 1.5."""
    return f"{round(seconds * 1000)}ms"


def sent(answer: bytes) -> Sequence[str]:
    """Ids. Raises QuintetError."""
    return decode(answer, Sent).ids


def results(answer: bytes) -> Sequence[Problem | None]:
    """Of each receipt. Raises QuintetError."""
    return decode(answer, Results).results


def seconds(duration: str) -> float:
    """1.5 for `1s500ms`."""
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall("([0-9]+)([a-z]+)", duration))


def content(text: str | None, packed: str) -> bytes:
    return base64.b64decode(packed) if text is None else text.encode()


def text(packed: str) -> str:
    """Bytes that are not UTF-8 as text, as PEP 383 has it."""
    return base64.b64decode(packed).decode(errors="surrogateescape")


def _field(name: str, content: str | bytes) -> tuple[str, str]:
    """(field, its value): the content as text or, where it is not UTF-8, in base64."""
    if not isinstance(content, str | bytes | bytearray | memoryview):
        raise TypeError(f"{name}: text or bytes are wanted, not {type(content).__name__}")
    raw = content.encode(errors="surrogateescape") if isinstance(content, str) else bytes(content)
    try:
        return name, raw.decode()
    except UnicodeDecodeError:
        return f"{name}Base64", base64.b64encode(raw).decode()
