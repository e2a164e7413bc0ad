"""Messages that are looked at and not received: what /v1/ answers to peek and tail."""

import base64
from typing import Any

from msgspec import Struct, field

from quintet import wire
from quintet.message import DeadLetter


class Seen(Struct, frozen=True, kw_only=True):
    """A message that was looked at; others receive it as before.

    Bytes of key and headers that are not UTF-8 stand in the text as PEP 383 has it.
    """

    id: str
    """A UUID, the same in each delivery, kept through delay and dead letter."""
    value: bytes
    key: str | None
    headers: dict[str, str]
    sent_at: int
    """Milliseconds since 1970, when the broker accepted it."""
    priority: int | None
    expires_at: int | None
    """Milliseconds since 1970, from which on it is not delivered any more."""
    dead_letter: DeadLetter | None
    """How it came into this queue, where this is a dead-letter queue."""
    state: str | None
    """`visible` or `inFlight`; None in a tail, which does not ask what became of it."""
    deliveries: int | None
    """How often it was delivered; None in a tail."""
    first_received_at: int | None
    """Milliseconds since 1970; None where it never was, and in a tail."""

    @property
    def text(self) -> str:
        """The value as text. Raises UnicodeDecodeError where it is not UTF-8."""
        return self.value.decode()


class Peeked(Struct, frozen=True):
    """Messages that wait or are in flight."""

    messages: list[Seen]
    next: str | None
    """Where the next look starts; None where there was nothing more."""


class Tailed(Struct, frozen=True):
    """Messages that came, those that are settled since among them."""

    messages: list[Seen]
    next: str
    """Where the next look starts."""
    missed: int
    """How many went unseen, about: they were settled and taken away before the look."""


def peeked(answer: bytes) -> Peeked:
    """Raises QuintetError."""
    found = wire.decode(answer, _Peeked)
    return Peeked([one.seen() for one in found.messages], found.next)


def tailed(answer: bytes) -> Tailed:
    """Raises QuintetError."""
    found = wire.decode(answer, _Tailed)
    return Tailed([one.seen() for one in found.messages], found.next, found.missed)


class _DeadLetter(Struct):
    source: str
    reason: str
    receives: int
    at: int


class _Message(Struct, rename="camel"):
    """As JSON has it: text, or base64 of what is not UTF-8."""

    id: str
    sent_at: int
    value: str = ""
    value_base64: str = ""
    key: str | None = None
    key_base64: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    headers_base64: dict[str, str] = field(default_factory=dict)
    priority: int | None = None
    expires_at: int | None = None
    dead_letter: _DeadLetter | None = None
    state: str | None = None
    deliveries: int | None = None
    first_received_at: int | None = None

    def seen(self) -> Seen:
        dead = self.dead_letter
        others = {name: _text(packed) for name, packed in self.headers_base64.items()}
        return Seen(
            id=self.id,
            value=base64.b64decode(self.value_base64) or self.value.encode(),
            key=self.key if self.key_base64 is None else _text(self.key_base64),
            headers=self.headers | others,
            sent_at=self.sent_at,
            priority=self.priority,
            expires_at=self.expires_at,
            dead_letter=DeadLetter(dead.source, dead.reason, dead.receives, dead.at) if dead else None,
            state=self.state,
            deliveries=self.deliveries,
            first_received_at=self.first_received_at,
        )


class _Peeked(Struct):
    messages: list[_Message]
    next: str | None


class _Tailed(Struct):
    messages: list[_Message]
    next: str
    missed: int


def _text(packed: str) -> str:
    return base64.b64decode(packed).decode(errors="surrogateescape")


def request(**asked: Any) -> bytes:
    """The body of a look, without what is None."""
    return wire.encode({name: value for name, value in asked.items() if value is not None})
