"""Messages: as a producer hands one over, and as a consumer gets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from quintet.queue import Queue


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


class DeadLetter(Struct, frozen=True):
    """How a message came into a dead-letter queue."""

    source: str
    """Name of the queue that it came from."""
    reason: str
    """`MaxReceives`, `Overflow` or `Expired`."""
    receives: int
    """How often it was delivered there."""
    at: int
    """Milliseconds since 1970."""


class Content(Struct, frozen=True, kw_only=True):
    """What was delivered.

    Key and headers are text; bytes that are not UTF-8 stand in it as PEP 383 has it, so that
    `.encode(errors="surrogateescape")` gives the very bytes, and sending the text again sends them.
    """

    id: str
    """A UUID, the same in each delivery, kept through delay and dead letter."""
    value: bytes
    key: str | None
    headers: dict[str, str]
    deliveries: int
    """How often it was delivered, this time included."""
    sent_at: int
    """Milliseconds since 1970, when the broker accepted it."""
    first_received_at: int
    """Milliseconds since 1970."""
    priority: int | None
    expires_at: int | None
    """Milliseconds since 1970, from which on it is not delivered any more."""
    dead_letter: DeadLetter | None
    """How it came into this queue, where this is a dead-letter queue."""
    receipt: str
    """Names this delivery."""

    @property
    def text(self) -> str:
        """The value as text. Raises UnicodeDecodeError where it is not UTF-8."""
        return self.value.decode()


class Message(Content, frozen=True, kw_only=True):
    """A delivered message and what can be done with it.

    Its verbs raise ReceiptStale where it was delivered again since, and what every verb of the client raises.
    """

    queue: Queue

    async def acknowledge(self) -> None:
        """Settle it for good. Again is fine."""
        await self.queue.acknowledge(self.receipt)

    async def release(self) -> None:
        """Make it visible to consumers again now."""
        await self.queue.release(self.receipt)

    async def extend(self, seconds: float) -> None:
        """Hide it from other consumers for so many seconds (0 - 43200) from now."""
        await self.queue.extend(self.receipt, seconds)
