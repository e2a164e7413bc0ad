"""Frames as types: what docs/protocol.md specifies, as arrays in MessagePack.

A frame is one binary message of the WebSocket. Its first element, the tag, tells what it is. Elements may be added at
the end of any array: who does not know them passes over them.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from quintet_broker.services.sending import MAX_HEADERS, MAX_SEND
from quintet_broker.services.settling import MAX_SETTLE, Handle

VERSION = 1
FRAME_BYTES = 16 * 1024 * 1024
"""Of one frame, at most."""
CREDIT_MAX = 100_000
"""Messages that one receive may have been granted and not used."""
RECEIVE_WAIT_MAX = 24 * 60 * 60 * 1000
"""Milliseconds."""

Id = Annotated[int, Meta(ge=0, lt=2**53)]
Messages = Annotated[int, Meta(ge=1, le=CREDIT_MAX)]
Receipt = Annotated[str, Meta(max_length=256)]
Receipts = Annotated[list[Receipt | Handle], Meta(min_length=1, max_length=MAX_SETTLE)]


class Malformed(Exception):
    """Not a frame."""


class Refusable(Exception):
    """A frame whose fields are not as they must be: its sender is told."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.id = number


# What clients say


class Hello(Struct, array_like=True, tag=0):
    """The first frame."""

    versions: Annotated[list[int], Meta(max_length=100)]


class NewRecord(Struct, array_like=True, gc=False):
    """A message to store. Times are milliseconds from now on."""

    value: bytes
    key: bytes | None = None
    headers: Annotated[tuple[tuple[str, bytes], ...], Meta(max_length=MAX_HEADERS)] = ()
    delay: int | None = None
    priority: int | None = None
    expiry: int | None = None
    deduplication_id: str | None = None


class Send(Struct, array_like=True, tag=1):
    """Store messages, all or none. Answered by Confirm."""

    id: Id
    queue: str
    producer: int | None
    sequence: int
    records: Annotated[list[NewRecord], Meta(max_length=MAX_SEND)]
    after: int | None = None
    """A sequence of the producer that this connection is to have stored before."""


class Receive(Struct, array_like=True, tag=2):
    """Deliver messages, up to the credit. Answered by Deliver, until one says that it is over."""

    id: Id
    queue: str
    credit: Messages
    once: bool = False
    """Whether the first Deliver is the last."""
    wait: Annotated[int, Meta(ge=0, le=RECEIVE_WAIT_MAX)] | None = None
    """Milliseconds in which nothing came, after which it is over. None: never; with `once`, as the queue has it."""
    visibility_timeout: int | None = None
    """Milliseconds; None: as the queue has it."""
    selector: str | None = None
    """CEL: only messages for which it is true."""
    consumer: str | None = None
    """Who asks; needed where the queue's consumers are not Shared."""
    batches: bool = False
    """Whether the client reads DeliverBatches too."""


class Credit(Struct, array_like=True, tag=3):
    """Let a receive deliver so many messages more."""

    id: Id
    credit: Messages


class Cancel(Struct, array_like=True, tag=4):
    """Let a receive end."""

    id: Id


class Acknowledge(Struct, array_like=True, tag=5):
    """Settle messages for good. Answered by Settled."""

    id: Id
    queue: str
    receipts: Receipts


class Release(Struct, array_like=True, tag=6):
    """Make messages visible again now. Answered by Settled."""

    id: Id
    queue: str
    receipts: Receipts
    delivered: bool = True
    """False: no consumer saw them, and their delivery does not count for maxReceives."""


class Extend(Struct, array_like=True, tag=7):
    """Hide messages, each for so many milliseconds from now. Answered by Settled."""

    id: Id
    queue: str
    extensions: Annotated[list[tuple[Receipt, int]], Meta(min_length=1, max_length=MAX_SETTLE)]


class SendBatch(Struct, array_like=True, tag=8):
    """Store messages, all or none, as one RecordBatch v2. Answered by Stored or by Confirm."""

    id: Id
    queue: str
    producer: int | None
    sequence: int
    batch: bytes
    after: int | None = None
    """As in Send."""


Request = Send | Acknowledge | Release | Extend | SendBatch
"""Each has one answer."""
Asked = Hello | Request | Receive | Credit | Cancel


# What the broker says


class Welcome(Struct, array_like=True, tag=16):
    """The answer to Hello."""

    version: int
    broker: str
    """Its name."""
    frame_bytes: int = FRAME_BYTES
    credit_max: int = CREDIT_MAX


class Confirm(Struct, array_like=True, tag=17):
    """The messages are stored, under these ids."""

    id: int
    ids: list[str]


class Settled(Struct, array_like=True, tag=18):
    """For each message, in order: None, or [error, status, detail]; nothing where all would be None."""

    id: int
    results: list[tuple[str, int, str] | None]


class DeadLetter(Struct, array_like=True, gc=False):
    """How a message came into a dead-letter queue."""

    source: str
    reason: str
    receives: int
    at: int


class Delivered(Struct, array_like=True, gc=False):
    """A message. Times are milliseconds since 1970."""

    id: str
    receipt: str
    value: bytes
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    sent_at: int
    first_received_at: int
    deliveries: int
    priority: int | None
    expires_at: int | None
    sequence: int | None
    deduplication_id: str | None
    dead_letter: DeadLetter | None


class Deliver(Struct, array_like=True, tag=19):
    """Messages of a receive, each of which uses one of its credit."""

    id: int
    messages: list[Delivered]
    open: bool
    """Whether the receive goes on."""


class Refused(Struct, array_like=True, tag=20):
    """A request was not done; a receive is over."""

    id: int
    error: str
    """As in `urn:quintet:problem:<error>`."""
    status: int
    """As HTTP has it."""
    detail: str


class Moved(Struct, array_like=True, tag=21):
    """Another broker owns the queue: whoever goes there saves a hop."""

    queue: str
    address: str
    """Its URL."""


class Together(Struct, array_like=True, gc=False):
    """Messages that were delivered together, which have values, keys, headers and deduplication ids alone."""

    handle: bytes
    """The receipt of the first one, before its base64url."""
    first: bytes
    """Its id. As numbers, the ids of the others follow."""
    count: int
    deliveries: int
    sent_at: int
    first_received_at: int
    batch: bytes
    """A RecordBatch v2 of just these, in order."""
    first_sequence: int | None = None
    """In a Fifo queue the first one's; those of the others follow."""


class DeliverBatches(Struct, array_like=True, tag=22):
    """As Deliver."""

    id: int
    together: list[Together]
    open: bool


class Stored(Struct, array_like=True, tag=23):
    """The messages of a SendBatch are stored."""

    id: int
    first: bytes
    """The first one's id. As numbers, the ids of the others follow."""


Said = Welcome | Confirm | Settled | Deliver | Refused | Moved | DeliverBatches | Stored


class _Head(Struct, array_like=True):
    tag: int
    id: Id


_decoder = msgspec.msgpack.Decoder(Asked)
_head_decoder = msgspec.msgpack.Decoder(_Head)
_encoder = msgspec.msgpack.Encoder()


def decode(body: bytes) -> Any:
    """Something of Asked. Raises Malformed, Refusable."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusable(body, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"This is no frame: {error}") from error


def decode_all(bodies: Sequence[bytes]) -> list[Any]:
    """Of each that came together something of Asked, or what `decode` raises."""
    try:
        return list(map(_decoder.decode, bodies))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [_decoded(body) for body in bodies]


def _decoded(body: bytes) -> Any:
    try:
        return decode(body)
    except (Malformed, Refusable) as error:
        return error


def _refusable(body: bytes, why: str) -> Exception:
    try:
        head = _head_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Malformed(f"This is no frame: {why}")
    return Refusable(head.id, f"The frame is not as it must be: {why}")


def encode(frame: Any) -> bytes:
    """A frame of Said."""
    return _encoder.encode(frame)


def encode_all(frames: Iterable[Any]) -> list[bytes]:
    return list(map(_encoder.encode, frames))
