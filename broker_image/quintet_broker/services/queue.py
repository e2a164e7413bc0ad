"""A queue's verbs, as every protocol face calls them."""

import base64
import binascii
import hashlib
import random
import re
import struct
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from msgspec import Struct

from quintet_api.queue import QueueSpec
from quintet_broker.engine import headers as names
from quintet_broker.engine.deduplication import HASH_BYTES
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.record import Headers, Record
from quintet_broker.engine.requests import (
    Acknowledge,
    Append,
    Count,
    Counts,
    Delivery,
    Extend,
    GiveBack,
    Peek,
    Place,
    Progress,
    Purge,
    Receipt,
    Receive,
    Request,
    StartRedrive,
    StopRedrive,
    TellRedrive,
)
from quintet_broker.engine.route import Route
from quintet_broker.engine.work import Totals
from quintet_broker.errors import BrokerError, InvalidArgument, MessageTooLarge, ReceiptInvalid

Answer = TypeVar("Answer")

MAX_RECEIVE = 1000
MAX_SEND = 10_000
MAX_DELAY = 15 * 60
MAX_VISIBILITY = 12 * 60 * 60
MAX_WAIT = 20
MAX_PRIORITY = 10
MAX_RATE = 1_000_000
MAX_EXPIRY = 14 * 24 * 60 * 60
MAX_PRODUCER = 2**53 - 1

_OWN = "quintet-"
_DEDUPLICATION_ID_TEXT = re.compile("[!-~]{1,128}")
_ID_FREE_BITS = ~(0xF << 76 | 0x3 << 62)
_RECEIPT = struct.Struct(">BIBQI")  # version, shard, log, offset, nonce
_PLACE = struct.Struct(">BIBQ")  # version, shard, log, offset
_RECEIPT_VERSION = 1


class NewMessage(Struct, frozen=True):
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


class Sent(Struct, frozen=True):
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


class Message(Struct, frozen=True):
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


class Peeked(Struct, frozen=True):
    """Messages that were looked at."""

    messages: list[Message]
    next: str | None
    """Where the next look starts; None where there was nothing more."""


class Queue:
    """One queue: its spec and its verbs.

    Verbs over several receipts answer with a list in their order: None, or why that one was refused.
    Any verb may raise Unavailable or Overloaded, which are worth a retry.
    """

    def __init__(
        self,
        name: str,
        uid: str,
        spec: QueueSpec,
        origin: Literal["Declared", "Runtime"],
        created_at: int,
        modified_at: int,
        route: Route,
        now: Callable[[], int],
    ) -> None:
        self.name = name
        self.uid = uid
        self.spec = spec
        self.origin = origin
        self.created_at = created_at
        """Seconds since 1970."""
        self.modified_at = modified_at
        """Seconds since 1970."""
        self.route = route
        self._now = now

    @property
    def totals(self) -> Totals:
        """What went through at this broker since it opened the queue."""
        return self.route.totals

    @property
    def held(self) -> Counts | None:
        """What it holds, if this broker owns its shard."""
        shard = self.route.shard
        return shard.counts if shard and shard.taken else None

    async def send(self, messages: Sequence[NewMessage], producer: Producer | None = None) -> list[Sent]:
        """Store all messages or none; return once the pool's durability holds.

        In a Fifo queue each has a key, its group, and duplicates are confirmed and not stored.

        Raises MessageTooLarge, InvalidArgument, QueueFull, PoolFull.
        """
        self._check(messages, producer)
        now = self._now()
        ids = _ids(len(messages), self.route.number, producer)
        texts = [self._deduplication_id(message) for message in messages]
        append = Append(
            now,
            [
                _record(message, message_id, text, now)
                for message, message_id, text in zip(messages, ids, texts, strict=True)
            ],
            [self._due(message, now) for message in messages],
            producer.id if producer else None,
            [producer.sequence] * len(messages) if producer else None,
            [self._hash(message, text) for message, text in zip(messages, texts, strict=True)],
        )
        stored = await self._ask(append)
        if stored is None:
            return [Sent(_id_text(message_id), None) for message_id in ids]
        return [Sent(_id_text(sent.id), sent.sequence) for sent in stored]

    def _deduplication_id(self, message: NewMessage) -> str | None:
        by_content = self.spec.ordering == "Fifo" and self.spec.deduplication.content_based
        if message.deduplication_id is None and by_content:
            return hashlib.sha256(message.value).hexdigest()
        return message.deduplication_id

    def _hash(self, message: NewMessage, deduplication_id: str | None) -> bytes | None:
        """Of what duplicates have in common."""
        if deduplication_id is None:
            return None
        hashed = hashlib.blake2b(deduplication_id.encode(), digest_size=HASH_BYTES)
        if self.spec.deduplication.scope == "Group":
            hashed.update(b" " + (message.key or b""))
        return hashed.digest()

    def _check(self, messages: Sequence[NewMessage], producer: Producer | None) -> None:
        if not 1 <= len(messages) <= MAX_SEND:
            raise InvalidArgument(f"A send takes 1 to {MAX_SEND} messages.")
        if producer and not (0 < producer.id <= MAX_PRODUCER and 0 <= producer.sequence <= MAX_PRODUCER):
            raise InvalidArgument("A producer's id is 1 to 2^53 - 1, its sequence 0 to 2^53 - 1.")
        for message in messages:
            if any(name.startswith(_OWN) for name, _ in message.headers):
                raise InvalidArgument(f"Header names that begin with {_OWN!r} are reserved.")
            if message.delay is not None and not 0 <= message.delay <= MAX_DELAY:
                raise InvalidArgument(f"A delay is 0 to {MAX_DELAY} seconds.")
            if message.expiry is not None and not 0.001 <= message.expiry <= MAX_EXPIRY:
                raise InvalidArgument(f"An expiry is 0.001 to {MAX_EXPIRY} seconds.")
            if message.priority is not None and not 1 <= message.priority <= MAX_PRIORITY:
                raise InvalidArgument(f"A priority is 1 to {MAX_PRIORITY}.")
            self._check_ordering(message)
            size = len(message.value) + sum(len(name) + len(value) for name, value in message.headers)
            if size > self.spec.max_message_size:
                raise MessageTooLarge(
                    f"The message has {size} bytes; the queue takes at most {self.spec.max_message_size}."
                )

    def _check_ordering(self, message: NewMessage) -> None:
        if self.spec.ordering == "Standard":
            if message.deduplication_id is not None:
                raise InvalidArgument("A deduplication id is for Fifo queues.")
            return
        if message.key is None:
            raise InvalidArgument("In a Fifo queue each message has a key, which is its message group.")
        if message.priority is not None:
            raise InvalidArgument("In a Fifo queue messages have no priority.")
        if message.delay:
            raise InvalidArgument(
                "In a Fifo queue messages have no delay of their own; the queue's deliveryDelay holds."
            )
        if message.deduplication_id is not None and not _DEDUPLICATION_ID_TEXT.fullmatch(message.deduplication_id):
            raise InvalidArgument("A deduplication id has 1 to 128 letters, digits and punctuation marks of ASCII.")

    def _due(self, message: NewMessage, now: int) -> int | None:
        delay = message.delay
        if delay is None or self.spec.ordering == "Fifo":
            delay = self.spec.delivery_delay.total_seconds()
        return now + round(delay * 1000) if delay else None

    async def receive(
        self, limit: int, *, visibility_timeout: float | None = None, wait: float | None = None
    ) -> list[Message]:
        """Deliver up to `limit` (1 - 1000) messages, waiting up to `wait` (0 - 20) seconds for the first.

        None takes the queue's visibilityTimeout and receiveWaitTime. Cancelling gives back what was claimed.
        Raises TooManyInFlight, InvalidArgument.
        """
        visible_after = self._or_default(visibility_timeout, self.spec.visibility_timeout.total_seconds())
        waiting = self._or_default(wait, self.spec.receive_wait_time.total_seconds())
        if not 1 <= limit <= MAX_RECEIVE:
            raise InvalidArgument(f"A receive takes 1 to {MAX_RECEIVE} messages.")
        if not 0 <= visible_after <= MAX_VISIBILITY:
            raise InvalidArgument(f"A visibility timeout is 0 to {MAX_VISIBILITY} seconds.")
        if not 0 <= waiting <= MAX_WAIT:
            raise InvalidArgument(f"A receive waits 0 to {MAX_WAIT} seconds.")
        now = self._now()
        request = Receive(now, limit, round(visible_after * 1000), now + round(waiting * 1000))
        deliveries = await self._ask(request)
        # A broker may have stood still, and on waking finds here what others got since.
        in_time = [one for one in deliveries if self._now() < one.deadline or not visible_after]
        return [
            _message(one.record, self._receipt(one), one.deliveries, one.first_received, is_in_flight=True)
            for one in in_time
        ]

    async def peek(self, limit: int, start: str | None = None) -> Peeked:
        """Up to `limit` (1 - 1000) messages that are visible or in flight, which change nothing by it, oldest first.

        Fewer, or none, may come though there are more: `next` tells, and where to start then.
        Raises InvalidArgument.
        """
        if not 1 <= limit <= MAX_RECEIVE:
            raise InvalidArgument(f"A peek takes 1 to {MAX_RECEIVE} messages.")
        found = await self._ask(Peek(self._now(), limit, None if start is None else self._place(start)))
        return Peeked(
            [_message(seen.record, "", seen.deliveries, seen.first_received, seen.is_in_flight) for seen in found.seen],
            None if found.next is None else _packed(_PLACE.pack(_RECEIPT_VERSION, self.route.number, *found.next)),
        )

    def _place(self, text: str) -> Place:
        try:
            version, shard, log, offset = _PLACE.unpack(base64.b64decode(text, altchars=b"-_", validate=True))
        except (binascii.Error, struct.error, ValueError) as error:
            raise InvalidArgument("A peek goes on from what another one answered as next.") from error
        if (version, shard) != (_RECEIPT_VERSION, self.route.number):
            raise InvalidArgument("A peek goes on from what another one of the same queue answered as next.")
        return log, offset

    @staticmethod
    def _or_default(value: float | None, default: float) -> float:
        return default if value is None else value

    def _receipt(self, delivery: Delivery) -> str:
        return _packed(_RECEIPT.pack(_RECEIPT_VERSION, self.route.number, *delivery.receipt))

    async def acknowledge(self, receipts: Sequence[str]) -> list[BrokerError | None]:
        """Settle messages for good. Acknowledging twice is fine."""
        opened = [self._open(receipt) for receipt in receipts]
        return _in_order(opened, await self._ask(Acknowledge(self._now(), _good(opened))))

    async def release(self, receipts: Sequence[str], *, delivered: bool = True) -> list[BrokerError | None]:
        """Make messages visible again now.

        With `delivered` False no consumer saw them: their delivery does not count, and one that is settled since is
        no error.
        """
        if delivered:
            return await self.extend([(receipt, 0) for receipt in receipts])
        opened = [self._open(receipt) for receipt in receipts]
        await self._ask(GiveBack(self._now(), _good(opened)))
        return [held if isinstance(held, ReceiptInvalid) else None for held in opened]

    async def extend(self, receipts: Sequence[tuple[str, float]]) -> list[BrokerError | None]:
        """Hide each message for so many seconds (0 - 43200) from now."""
        if any(not 0 <= seconds <= MAX_VISIBILITY for _, seconds in receipts):
            raise InvalidArgument(f"A visibility timeout is 0 to {MAX_VISIBILITY} seconds.")
        opened = [self._open(receipt) for receipt, _ in receipts]
        hidden = [
            (held, round(seconds * 1000))
            for held, (_, seconds) in zip(opened, receipts, strict=True)
            if not isinstance(held, ReceiptInvalid)
        ]
        return _in_order(opened, await self._ask(Extend(self._now(), hidden)))

    def _open(self, receipt: str) -> Receipt | ReceiptInvalid:
        try:
            packed = base64.b64decode(receipt, altchars=b"-_", validate=True)
            version, shard, log, offset, nonce = _RECEIPT.unpack(packed)
        except (binascii.Error, struct.error, ValueError):
            return ReceiptInvalid()
        if (version, shard) != (_RECEIPT_VERSION, self.route.number):
            return ReceiptInvalid()
        return log, offset, nonce

    async def redrive(
        self, target: "Queue | None" = None, *, rate: float | None = None, limit: int | None = None
    ) -> Progress:
        """Bring back messages that are visible now: up to `limit`, up to `rate` a second, to the queues that they came
        from, or all of them to `target`. In place of the redrive that is under way.

        A message that came from no queue stays. Raises InvalidArgument.
        """
        if target is self:
            raise InvalidArgument("target: is the queue itself.")
        if target and target.spec.ordering != self.spec.ordering:
            raise InvalidArgument(f"target: its ordering is {target.spec.ordering}, not {self.spec.ordering}.")
        if rate is not None and not 0 < rate <= MAX_RATE:
            raise InvalidArgument(f"rate: is more than 0 and at most {MAX_RATE}.")
        if limit is not None and limit < 1:
            raise InvalidArgument("limit: is at least 1.")
        number = target.route.number if target else None
        return await self._ask(StartRedrive(self._now(), number, rate, limit))

    async def stop_redrive(self) -> Progress:
        """Let no more messages go; those on their way arrive."""
        return await self._ask(StopRedrive(self._now()))

    async def redrive_progress(self) -> Progress:
        """Of the redrive that was started last."""
        return await self._ask(TellRedrive(self._now()))

    async def purge(self) -> None:
        """Drop every message that was confirmed before this call: visible, in flight and delayed."""
        await self._ask(Purge(self._now()))

    async def counts(self) -> Counts:
        """What it holds, as its owner knows it."""
        return await self._ask(Count(self._now()))

    async def _ask(self, request: Request[Answer]) -> Answer:
        return await self.route.serve(request)


def policy(name: str, spec: QueueSpec, dead_letter: int | None) -> Policy:
    """How the queue's shard treats its records; `dead_letter` is the shard of its dead-letter queue."""
    return Policy(
        name=name,
        retention=round(spec.message_retention.total_seconds() * 1000),
        in_flight=spec.limits.in_flight,
        messages=spec.limits.messages,
        bytes=spec.limits.bytes,
        ordered=spec.ordering == "Fifo",
        paused=spec.paused,
        max_receives=spec.dead_letter.max_receives if spec.dead_letter else 0,
        dead_letter=dead_letter,
        expired_to=dead_letter if spec.dead_letter and spec.dead_letter.expired else None,
        overflow=spec.limits.overflow,
    )


def _ids(count: int, shard: int, producer: Producer | None) -> list[bytes]:
    """New message ids; the same for the same send of a producer."""
    if producer is None:
        return [_id(random.getrandbits(128), version=4) for _ in range(count)]
    send = hashlib.blake2b(struct.pack(">IQQ", shard, producer.id, producer.sequence), digest_size=16).digest()
    first = int.from_bytes(send)
    return [_id((first + index) % 2**128, version=5) for index in range(count)]


def _id(number: int, version: int) -> bytes:
    """The UUID (RFC 9562) that has the bits of `number` but for its version and variant.

    As uuid.UUID makes it, which takes five times as long.
    """
    return (number & _ID_FREE_BITS | version << 76 | 1 << 63).to_bytes(16)


def _id_text(message_id: bytes) -> str:
    text = message_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _record(message: NewMessage, message_id: bytes, deduplication_id: str | None, now: int) -> Record:
    headers = [(names.ID, message_id), *message.headers]
    headers += [(_OWN + name, value) for name, value in message.system]
    if message.priority is not None:
        headers.append((names.PRIORITY, str(message.priority).encode()))
    if message.expiry is not None:
        headers.append((names.EXPIRES_AT, str(now + round(message.expiry * 1000)).encode()))
    if deduplication_id is not None:
        headers.append((names.DEDUPLICATION_ID, deduplication_id.encode()))
    return Record(message.value, now, message.key, tuple(headers))


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def _message(record: Record, receipt: str, deliveries: int, first_received: int, is_in_flight: bool) -> Message:
    own: dict[str, bytes] = {}
    headers = []
    system = []
    for pair in record.headers:
        if not pair[0].startswith(_OWN):
            headers.append(pair)
        elif pair[0] in names.OF_ENGINE:
            own[pair[0]] = pair[1]
        else:
            system.append((pair[0][len(_OWN) :], pair[1]))
    return Message(
        id=_id_text(own[names.ID]),
        receipt=receipt,
        value=record.value,
        key=record.key,
        headers=tuple(headers),
        system=tuple(system),
        sent_at=record.timestamp,
        first_received_at=_number(own, names.FIRST_RECEIVED_AT) or first_received,
        deliveries=deliveries,
        dead_letter=_dead_letter(own),
        priority=_number(own, names.PRIORITY),
        expires_at=_number(own, names.EXPIRES_AT),
        sequence=_number(own, names.NUMBER),
        deduplication_id=_text(own, names.DEDUPLICATION_ID),
        is_in_flight=is_in_flight,
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


def _good(opened: Sequence[Receipt | ReceiptInvalid]) -> list[Receipt]:
    return [held for held in opened if not isinstance(held, ReceiptInvalid)]


def _in_order(
    opened: Sequence[Receipt | ReceiptInvalid], results: list[BrokerError | None]
) -> list[BrokerError | None]:
    """The results of the good receipts, with the errors of the others at their places."""
    following = iter(results)
    return [held if isinstance(held, ReceiptInvalid) else next(following) for held in opened]
