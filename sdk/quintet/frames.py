"""The frames that the client and the broker say to each other, as arrays in MessagePack: docs/protocol.md."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from quintet.errors import InvalidArgument, QuintetError, named
from quintet.message import DEDUPLICATION_ID, DeadLetter, Headers, Message, NewMessage, Plain, Run, ids

if TYPE_CHECKING:
    from quintet.queue import Queue

VERSION = 1

# What the client says


class Hello(Struct, array_like=True, tag=0):
    versions: list[int]


class Send(Struct, array_like=True, tag=1):
    id: int
    queue: str
    producer: int
    sequence: int
    records: Sequence[Any]
    """`[value, key, headers, delay, priority, expiry, deduplicationId]` each, or what stands at its beginning."""
    after: int | None = None
    """A sequence of the producer that this connection is to have stored before."""


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
    batches: bool = True
    """Whether DeliverBatches are read, too."""


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


class SendBatch(Struct, array_like=True, tag=8):
    id: int
    queue: str
    producer: int
    sequence: int
    batch: bytes
    """A RecordBatch v2."""
    after: int | None = None
    """As in Send."""


Request = Send | SendBatch | Acknowledge | Release | Extend
"""Each has one answer. Its number is that of the attempt."""


# What the broker says


class Welcome(Struct, array_like=True, tag=16):
    version: int
    broker: str
    frame_bytes: int
    """Of one frame, at most."""


class Confirm(Struct, array_like=True, tag=17):
    """The answer to Send, and to SendBatch where each message was looked at."""

    id: int
    stored: list[str]

    def ids(self, count: int) -> list[str]:
        """Of the stored messages."""
        return self.stored


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

    def sequence_at(self, place: int) -> int | None:
        return self.sequence

    def id_at(self, place: int) -> str:
        return self.id

    def receipt_at(self, place: int) -> str:
        return self.receipt

    def receipts_at(self, place: int, count: int) -> str:
        return self.receipt


class Deliver(Struct, array_like=True, tag=19):
    """Messages of a receive."""

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


class Together(Struct, array_like=True, gc=False):
    """Messages that were encoded and delivered together; times are milliseconds since 1970."""

    handle: bytes
    """The receipt of the first one, before its base64url."""
    first: bytes
    """Its id."""
    count: int
    deliveries: int
    sent_at: int
    first_received_at: int
    batch: bytes
    """A RecordBatch v2 of just these."""
    first_sequence: int | None = None

    def of(self, queue: "Queue") -> list[Message]:
        # Takes long to import, and is not needed by every client.
        from quintet import batches

        first = int.from_bytes(self.first)
        run = Run(self.handle, first, self.deliveries, self.sent_at, self.first_received_at, self.first_sequence)
        return [
            Message(run, place, record.value or b"", record.key, record.headers, queue)
            for place, record in enumerate(batches.decode(self.batch))
        ]


class DeliverBatches(Struct, array_like=True, tag=22):
    """As Deliver."""

    id: int
    together: list[Together]
    open: bool

    def of(self, queue: "Queue") -> list[Message]:
        """Raises ValueError where a batch is damaged."""
        return [message for some in self.together for message in some.of(queue)]


class Stored(Struct, array_like=True, tag=23):
    """The answer to SendBatch."""

    id: int
    first: bytes
    """The id of the first message; those of the others follow it."""

    def ids(self, count: int) -> list[str]:
        """Of so many stored messages."""
        return ids(int.from_bytes(self.first), count)


_decoder = msgspec.msgpack.Decoder(Welcome | Confirm | Settled | Deliver | Refused | Moved | DeliverBatches | Stored)
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


def plain(message: NewMessage | str | bytes) -> Plain | None:
    """What a batch holds of a message; None where it has more than value, key, headers and deduplication id.

    Raises InvalidArgument; TypeError, and ValueError for text that is not Unicode.
    """
    if type(message) is bytes:
        return message, None, []
    if type(message) is str:
        return message.encode(errors="surrogateescape"), None, []
    if not isinstance(message, NewMessage):
        return _bytes("value", message), None, []
    if message.delay is not None or message.priority is not None or message.expiry is not None:
        return None
    return content(message.value, message.key, message.headers, message.deduplication_id)


def content(
    value: str | bytes,
    key: str | bytes | None,
    headers: Mapping[str, str | bytes] | None,
    deduplication_id: str | None = None,
) -> Plain:
    """Raises InvalidArgument; TypeError, and ValueError for text that is not Unicode."""
    some = [(_name(name), _bytes("headers", content)) for name, content in headers.items()] if headers else []
    if deduplication_id is not None:
        if not isinstance(deduplication_id, str):
            raise TypeError(f"deduplication_id: text is wanted, not {type(deduplication_id).__name__}")
        some.append((DEDUPLICATION_ID, deduplication_id.encode()))
    return _bytes("value", value), None if key is None else _bytes("key", key), some


def record(plain: Plain) -> tuple[Any, ...]:
    """A message as a Send has it."""
    value, key, headers = plain
    if headers and headers[-1][0] == DEDUPLICATION_ID:
        return value, key, headers[:-1], None, None, None, headers[-1][1].decode()
    return plain


def new_record(message: NewMessage | str | bytes) -> bytes:
    """A message to store, encoded; times are milliseconds from now on.

    Raises InvalidArgument; TypeError, and ValueError for text that is not Unicode.
    """
    if not isinstance(message, NewMessage):
        message = NewMessage(message)
    delay, expiry = milliseconds_or_none(message.delay), milliseconds_or_none(message.expiry)
    plain = content(message.value, message.key, message.headers)
    return item((*plain, delay, message.priority, expiry, message.deduplication_id))


def size(records: Sequence[Plain]) -> int:
    """Bytes, about."""
    total = 0
    for value, key, headers in records:
        total += len(value)
        if key:
            total += len(key)
        if headers:
            total += sum([len(name) + len(content) for name, content in headers])
    return total


def _name(header: str) -> str:
    if not isinstance(header, str):
        raise TypeError(f"headers: names are text, not {type(header).__name__}")
    if header == DEDUPLICATION_ID:
        raise InvalidArgument("Header names that begin with 'quintet-' are reserved.")
    header.encode()
    return header


def _bytes(field: str, content: str | bytes) -> bytes:
    if isinstance(content, str):
        return content.encode(errors="surrogateescape")
    if type(content) is bytes:
        return content
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
