"""Messages: as producers hand them over, as consumers get them, and what is stored between."""

import hashlib
import random
import struct
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from quintet_broker.engine.records import headers as names
from quintet_broker.engine.records.record import Headers, Record
from quintet_broker.engine.records.sealed import PRODUCER_BITS, SEQUENCE_BITS

_ID_FREE_BITS = ~(0xF << 76 | 0x3 << 62)
_LAST_DIGITS = [f"{byte:02x}" for byte in range(256)]
_VERSION_4 = 4 << 76 | 1 << 63
"""Bits of a UUID (RFC 9562) that tell how it was made, and its variant."""


class Content(Protocol):
    """What producers say, in whatever form."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class NewMessage(Struct, frozen=True, gc=False):
    """A message as a producer hands it over."""

    value: bytes
    key: bytes | None = None
    headers: Headers = ()
    """Names that begin with `quintet-` are refused."""
    delay: float | None = None
    """Seconds until it becomes visible; None takes the queue's deliveryDelay."""
    priority: int | None = None
    """1 to 10, higher ones first; those without one come last."""
    expiry: float | None = None
    """Seconds from now on after which it is not delivered any more."""
    deduplication_id: str | None = None
    """In a Fifo queue: what was sent under an id is not stored again within 5 minutes."""
    system: Headers = ()
    """What a face keeps beside its record: names begin with the face's own, and no other face delivers them."""


class Sent(Struct, frozen=True, gc=False):
    """What a send is confirmed with: of a duplicate, what the first one was."""

    id: str
    sequence: int | None
    """In a Fifo queue: later messages have larger ones."""


class Producer(Struct, frozen=True):
    """Makes a send idempotent: a second send with the same numbers is confirmed and not stored again."""

    id: int
    """Chosen at random by the client, 1 .. 2^53 - 1, once a session."""
    sequence: int
    """One more at each send, beginning with 0; each send is one sequence, however many messages it holds."""


class DeadLetter(Struct, frozen=True):
    """How a message came into a dead-letter queue."""

    source: str
    """Name of the queue that it came from."""
    reason: str
    """MaxReceives, Overflow or Expired."""
    receives: int
    """How often it was delivered there."""
    at: int
    """Milliseconds since 1970."""


class Message(Struct, frozen=True, gc=False):
    """A message as a consumer gets it."""

    id: str
    """A UUID, the same in each delivery, kept through delay and dead letter."""
    receipt: str
    """Names this delivery to acknowledge, release and extend; "" where it was only looked at."""
    value: bytes
    key: bytes | None
    headers: Headers
    system: Headers
    sent_at: int
    """Milliseconds since 1970, when the broker accepted it."""
    first_received_at: int
    """Milliseconds since 1970; 0 where it never was."""
    deliveries: int
    """How often it was delivered, this time included."""
    dead_letter: DeadLetter | None = None
    priority: int | None = None
    sequence: int | None = None
    """In a Fifo queue: later messages have larger ones."""
    expires_at: int | None = None
    """Milliseconds since 1970."""
    deduplication_id: str | None = None
    is_in_flight: bool = True


class Batch(Struct, frozen=True):
    """Messages of values, keys, headers and deduplication ids alone that a consumer gets together; as in Message."""

    handle: bytes
    """The receipt of the first one, before its base64url; with `count` it stands for all of them."""
    first_id: int
    """As a number; the ids of the others follow it."""
    count: int
    sent_at: int
    first_received_at: int
    deliveries: int
    data: bytes
    """A RecordBatch v2 of just these, in order. A deduplication id is a header of its record, DEDUPLICATION_ID."""
    first_sequence: int | None
    """In a Fifo queue: the sequences of the others follow it."""


class Peeked(Struct, frozen=True):
    """Messages that were looked at."""

    messages: list[Message]
    next: str | None
    """Where the next look starts; None where there was nothing more."""


class Tailed(Struct, frozen=True):
    """Messages that came."""

    messages: list[Message]
    next: str
    """Where the next look starts."""
    missed: int
    """How many were settled and taken away before the look, about."""


# Between the two


def new_id() -> bytes:
    """A random one, as uuid.uuid4 makes it, which takes ten times as long."""
    return (random.getrandbits(128) & _ID_FREE_BITS | _VERSION_4).to_bytes(16)


def new_names(shard: int, producer: Producer | None) -> tuple[int, int]:
    """What the messages of a send have their ids of, by `sealed.first_id`: the same for the same send of a producer."""
    if producer is None:
        number = random.getrandbits(PRODUCER_BITS + SEQUENCE_BITS)
    else:
        send = struct.pack(">IQQ", shard, producer.id, producer.sequence)
        number = int.from_bytes(hashlib.blake2b(send, digest_size=16, person=b"batch").digest())
    return number & (1 << PRODUCER_BITS) - 1, number >> PRODUCER_BITS & (1 << SEQUENCE_BITS) - 1


def ids_from(first: int, count: int) -> list[bytes]:
    """Ids that follow each other, the first of them given as a number."""
    return [(first + place).to_bytes(16) for place in range(count)]


def id_texts(first: int, count: int) -> list[str]:
    """The same as people write them: of many the last digits alone differ."""
    texts: list[str] = []
    while len(texts) < count:
        beginning, last = id_text(first.to_bytes(16))[:-2], first & 0xFF
        some = _LAST_DIGITS[last : last + count - len(texts)]
        texts += [beginning + digits for digits in some]
        first += len(some)
    return texts


def id_text(message_id: bytes) -> str:
    """The UUID as people write it."""
    text = message_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def record_of(message: NewMessage, message_id: bytes, deduplication_id: str | None, now: int) -> Record:
    """What is stored of a new message."""
    headers = [(names.ID, message_id), *message.headers]
    headers += [(names.OWN + name, value) for name, value in message.system]
    if message.priority is not None:
        headers.append((names.PRIORITY, str(message.priority).encode()))
    if message.expiry is not None:
        headers.append((names.EXPIRES_AT, str(now + round(message.expiry * 1000)).encode()))
    if deduplication_id is not None:
        headers.append((names.DEDUPLICATION_ID, deduplication_id.encode()))
    return Record(message.value, now, message.key, tuple(headers))


def message_of(record: Record, receipt: str, deliveries: int, first_received: int, is_in_flight: bool) -> Message:
    """What a consumer gets of a record."""
    headers, system, own = told_apart(record.headers)
    message_id = id_text(own.pop(names.ID))
    return Message(
        message_id,
        receipt,
        record.value,
        record.key,
        headers,
        system,
        record.timestamp,
        (_number(own, names.FIRST_RECEIVED_AT) if own else None) or first_received,
        deliveries,
        *(_of_engine(own) if own else _NOTHING_MORE),
        is_in_flight,
    )


def told_apart(headers: Sequence[tuple[str, bytes]]) -> tuple[Headers, Headers, dict[str, bytes]]:
    """A producer's headers; those that a face keeps, by the names that it has for them; the engine's."""
    producers = []
    faces = []
    engines = {}
    for pair in headers:
        name, value = pair
        if not name.startswith(names.OWN):
            producers.append(pair)
        elif name in names.OF_ENGINE:
            engines[name] = value
        else:
            faces.append((name[len(names.OWN) :], value))
    return tuple(producers), tuple(faces), engines


_OfEngine = tuple[DeadLetter | None, int | None, int | None, int | None, str | None]
_NOTHING_MORE: _OfEngine = (None, None, None, None, None)


def _of_engine(own: dict[str, bytes]) -> _OfEngine:
    """What the engine keeps of a message in headers, in the order of a Message's fields."""
    return (
        _dead_letter(own),
        _number(own, names.PRIORITY),
        _number(own, names.NUMBER),
        _number(own, names.EXPIRES_AT),
        _text(own, names.DEDUPLICATION_ID),
    )


def _text(own: dict[str, bytes], name: str) -> str | None:
    found = own.get(name)
    return None if found is None else found.decode()


def _number(own: dict[str, bytes], name: str) -> int | None:
    found = own.get(name)
    return None if found is None else int(found)


def _dead_letter(own: dict[str, bytes]) -> DeadLetter | None:
    if names.SOURCE not in own:
        return None
    return DeadLetter(
        source=own[names.SOURCE].decode(),
        reason=own.get(names.REASON, b"MaxReceives").decode(),
        receives=int(own.get(names.RECEIVES, 0)),
        at=int(own[names.MOVED_AT]),
    )
