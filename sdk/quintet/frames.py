"""The frames that the client and the broker say to each other, as arrays in MessagePack: docs/protocol.md."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from quintet.errors import InvalidArgument, QuintetError, named
from quintet.message import DeadLetter, Message, NewMessage

if TYPE_CHECKING:
    from quintet.queue import Queue

VERSION = 1
Headers = tuple[tuple[str, bytes], ...]


# What the client says


class Hello(Struct, array_like=True, tag=0):
    versions: list[int]


class NewRecord(Struct, array_like=True, gc=False):
    """A message to store; times are milliseconds from now on."""

    value: bytes
    key: bytes | None
    headers: Headers
    delay: int | None
    priority: int | None
    expiry: int | None
    deduplication_id: str | None


class Send(Struct, array_like=True, tag=1):
    id: int
    queue: str
    producer: int
    sequence: int
    records: list[Raw]


class Receive(Struct, array_like=True, tag=2):
    id: int
    queue: str
    credit: int
    once: bool
    """Whether the first Deliver is the last."""
    wait: int | None
    """Milliseconds in which nothing came, after which it is over."""
    visibility_timeout: int | None
    """Milliseconds."""
    selector: str | None
    consumer: str | None
    """Who asks."""


class Credit(Struct, array_like=True, tag=3):
    id: int
    credit: int


class Cancel(Struct, array_like=True, tag=4):
    id: int


class Acknowledge(Struct, array_like=True, tag=5):
    id: int
    queue: str
    receipts: Sequence[Any]


class Release(Struct, array_like=True, tag=6):
    id: int
    queue: str
    receipts: Sequence[Any]
    delivered: bool


class Extend(Struct, array_like=True, tag=7):
    id: int
    queue: str
    extensions: Sequence[Raw]


Request = Send | Acknowledge | Release | Extend
"""Each has one answer. Its number is that of the attempt."""


# What the broker says


class Welcome(Struct, array_like=True, tag=16):
    version: int
    broker: str
    frame_bytes: int
    """Of one frame, at most."""


class Confirm(Struct, array_like=True, tag=17):
    id: int
    results: list[str]
    """Ids of the stored messages."""


class Problem(Struct, array_like=True):
    """Why something was refused."""

    name: str
    status: int
    detail: str

    def error(self) -> QuintetError:
        return named(self.name, self.detail, self.status)


class Settled(Struct, array_like=True, tag=18):
    id: int
    results: list[Problem | None]
    """One for each message; none at all where nothing was refused."""


class Delivered(Struct, array_like=True, gc=False):
    """A message; times are milliseconds since 1970."""

    id: str
    receipt: str
    value: bytes
    key: bytes | None
    headers: Headers
    sent_at: int
    first_received_at: int
    deliveries: int
    priority: int | None
    expires_at: int | None
    sequence: int | None
    deduplication_id: str | None
    dead_letter: DeadLetter | None

    def id_at(self, place: int) -> str:
        return self.id

    def receipt_at(self, place: int) -> str:
        return self.receipt

    def receipts_at(self, place: int, count: int) -> str:
        return self.receipt


class Deliver(Struct, array_like=True, tag=19):
    id: int
    messages: list[Delivered]
    open: bool
    """Whether the receive goes on."""

    def of(self, queue: "Queue") -> list[Message]:
        return [Message(found, 0, found.value, found.key, found.headers, queue) for found in self.messages]


class Refused(Struct, array_like=True, tag=20):
    id: int
    error: str
    status: int
    detail: str


class Moved(Struct, array_like=True, tag=21):
    """Another broker owns the queue."""

    queue: str
    address: str


_decoder = msgspec.msgpack.Decoder(Welcome | Confirm | Settled | Deliver | Refused | Moved)
_encoder = msgspec.msgpack.Encoder()


def encode(frame: Any) -> bytes:
    return _encoder.encode(frame)


def decode(body: bytes) -> Any:
    """Raises ValueError where it is not a frame of a broker."""
    return _decoder.decode(body)


def item(content: Any) -> bytes:
    """A part of a request, encoded by itself, so that a bad one spoils no other.

    Raises InvalidArgument for numbers beyond all bounds; TypeError, and ValueError for text that is not Unicode.
    """
    try:
        return _encoder.encode(content)
    except OverflowError as error:
        raise InvalidArgument(f"A number is out of its bounds: {error}") from error


# Messages


def new_record(message: NewMessage | str | bytes) -> bytes:
    """Raises InvalidArgument; TypeError, and ValueError for text that is not Unicode."""
    if not isinstance(message, NewMessage):
        message = NewMessage(message)
    return item(
        NewRecord(
            _bytes("value", message.value),
            None if message.key is None else _bytes("key", message.key),
            tuple([(name, _bytes("headers", content)) for name, content in message.headers.items()]),
            milliseconds_or_none(message.delay),
            message.priority,
            milliseconds_or_none(message.expiry),
            message.deduplication_id,
        )
    )


def _bytes(field: str, content: str | bytes) -> bytes:
    if isinstance(content, str):
        return content.encode(errors="surrogateescape")
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(f"{field}: text or bytes are wanted, not {type(content).__name__}")
    return bytes(content)


def milliseconds(seconds: float) -> int:
    """Raises InvalidArgument."""
    try:
        return round(seconds * 1000)
    except (OverflowError, ValueError) as error:
        raise InvalidArgument(f"These are no seconds: {seconds}") from error


def milliseconds_or_none(seconds: float | None) -> int | None:
    return None if seconds is None else milliseconds(seconds)
