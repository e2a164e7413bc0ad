"""Messages: as a producer hands one over, and as a consumer gets it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

from msgspec import Struct, field

if TYPE_CHECKING:
    from quintet.queue import Queue


Headers = list[tuple[str, bytes]]
Plain = tuple[bytes, bytes | None, Headers]
"""A message's value, key and headers, of which the last one may be its deduplication id."""
DEDUPLICATION_ID = "quintet-deduplication-id"
"""The name of that header, which no header of a sender has."""


class NewMessage(Struct, frozen=True):
    """A message to send."""

    value: str | bytes
    key: str | bytes | None = None
    """Messages of one key belong together: in a Fifo queue each has one, its message group."""
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    """Names that begin with `quintet-` are refused."""
    delay: float | None = None
    """Seconds (0 - 900) until it can be received; None takes the queue's deliveryDelay."""
    priority: int | None = None
    """1 to 10, higher ones first; messages without one come last."""
    expiry: float | None = None
    """Seconds after which it is not delivered any more; None keeps it for the queue's messageRetention."""
    deduplication_id: str | None = None
    """In a Fifo queue: what was sent under an id is not stored again within 5 minutes."""


class DeadLetter(Struct, frozen=True, array_like=True):
    """How a message came into a dead-letter queue."""

    source: str
    """Name of the queue that it came from."""
    reason: str
    """`MaxReceives`, `Overflow` or `Expired`."""
    receives: int
    """How often it was delivered there."""
    at: int
    """Milliseconds since 1970."""


class Delivery(Protocol):
    """What messages that were delivered together have in common; each has its place in it."""

    deliveries: int
    sent_at: int
    first_received_at: int

    # Not of each kind of delivery a field.
    @property
    def priority(self) -> int | None: ...

    @property
    def expires_at(self) -> int | None: ...

    @property
    def dead_letter(self) -> DeadLetter | None: ...

    @property
    def deduplication_id(self) -> str | None: ...

    def sequence_at(self, place: int) -> int | None: ...

    def id_at(self, place: int) -> str: ...

    def receipt_at(self, place: int) -> str: ...

    def receipts_at(self, place: int, count: int) -> object:
        """Of so many messages from that place on, as a frame has them."""


class Run(Struct):
    """A delivery of messages that are plain. Their ids, and the offsets in their receipts, follow each other."""

    handle: bytes
    """The receipt of the first message, before its base64url."""
    first: int
    """Its id, as a number."""
    deliveries: int
    sent_at: int
    first_received_at: int
    first_sequence: int | None = None
    priority: ClassVar[None] = None
    expires_at: ClassVar[None] = None
    dead_letter: ClassVar[None] = None
    deduplication_id: ClassVar[None] = None
    """Each message has its own, among its headers."""

    def sequence_at(self, place: int) -> int | None:
        return None if self.first_sequence is None else self.first_sequence + place

    def id_at(self, place: int) -> str:
        return ids(self.first + place, 1)[0]

    def receipt_at(self, place: int) -> str:
        return base64.urlsafe_b64encode(self._handle_at(place)).decode().rstrip("=")

    def receipts_at(self, place: int, count: int) -> tuple[bytes, int]:
        return self._handle_at(place), count

    def _handle_at(self, place: int) -> bytes:
        front, offset, nonce = _HANDLE.unpack(self.handle)
        return _HANDLE.pack(front, offset + place, nonce)


_HANDLE = struct.Struct(">6sQ4s")
"""Of a receipt, the offset stands in the middle."""
_ENDS = [f"{number:03x}" for number in range(4096)]


def ids(first: int, count: int) -> list[str]:
    """UUIDs whose numbers follow each other."""
    found: list[str] = []
    while len(found) < count:
        start, end = divmod(first + len(found), len(_ENDS))
        front = f"{start:029x}"
        front = f"{front[:8]}-{front[8:12]}-{front[12:16]}-{front[16:20]}-{front[20:]}"
        found += [front + last for last in _ENDS[end : end + count - len(found)]]
    return found


class Content(Struct, frozen=True, eq=False, gc=False):
    """What was delivered. What few look at is made when it is asked for.

    Key and headers are text; bytes that are not UTF-8 stand in it as PEP 383 has it, so that
    `.encode(errors="surrogateescape")` gives the very bytes, and sending the text again sends them.
    """

    _delivery: Delivery
    _place: int
    value: bytes
    _key: bytes | None
    _headers: Headers

    @property
    def id(self) -> str:
        """A UUID, the same in each delivery, kept through delay and dead letter."""
        return self._delivery.id_at(self._place)

    @property
    def text(self) -> str:
        """The value as text. Raises UnicodeDecodeError where it is not UTF-8."""
        return self.value.decode()

    @property
    def key(self) -> str | None:
        return None if self._key is None else _text(self._key)

    @property
    def headers(self) -> dict[str, str]:
        return {name: _text(content) for name, content in self._headers if name != DEDUPLICATION_ID}

    @property
    def deliveries(self) -> int:
        """How often it was delivered, this time included."""
        return self._delivery.deliveries

    @property
    def sent_at(self) -> int:
        """Milliseconds since 1970, when the broker accepted it."""
        return self._delivery.sent_at

    @property
    def first_received_at(self) -> int:
        """Milliseconds since 1970."""
        return self._delivery.first_received_at

    @property
    def priority(self) -> int | None:
        return self._delivery.priority

    @property
    def expires_at(self) -> int | None:
        """Milliseconds since 1970, from which on it is not delivered any more."""
        return self._delivery.expires_at

    @property
    def sequence(self) -> int | None:
        """In a Fifo queue: later messages have larger ones."""
        return self._delivery.sequence_at(self._place)

    @property
    def deduplication_id(self) -> str | None:
        """In a Fifo queue: under which it was sent, or which it got of its value."""
        if self._headers and self._headers[-1][0] == DEDUPLICATION_ID:
            return _text(self._headers[-1][1])
        return self._delivery.deduplication_id

    @property
    def dead_letter(self) -> DeadLetter | None:
        """How it came into this queue, where this is a dead-letter queue."""
        return self._delivery.dead_letter

    @property
    def receipt(self) -> str:
        """Names this delivery."""
        return self._delivery.receipt_at(self._place)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {len(self.value)} bytes>"


def _text(content: bytes) -> str:
    """Bytes that are not UTF-8 as PEP 383 has it."""
    return content.decode(errors="surrogateescape")


class Message(Content, frozen=True, eq=False, gc=False):
    """A delivered message and what can be done with it.

    Its verbs raise ReceiptStale where it was delivered again since, and what every verb of the client raises.
    """

    queue: Queue

    async def acknowledge(self) -> None:
        """Settle it for good. Again is fine."""
        await self.queue.acknowledge(self)

    async def release(self, *, delivered: bool = True) -> None:
        """Make it visible to consumers again now. `delivered`: False where nobody saw it: see Queue.release."""
        await self.queue.release(self, delivered=delivered)

    async def extend(self, seconds: float) -> None:
        """Hide it from other consumers for so many seconds (0 - 43200) from now."""
        await self.queue.extend(self, seconds)
