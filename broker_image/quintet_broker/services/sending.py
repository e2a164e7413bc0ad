"""Sending: what producers hand over is checked, and made the append that stores it. Pure; `now` is an argument.

All of it may raise InvalidArgument, and MessageTooLarge.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from quintet_api.queue import QueueSpec
from quintet_broker.engine.records.headers import DEDUPLICATION_ID, OWN
from quintet_broker.engine.records.record import Headers
from quintet_broker.engine.records.sealed import MOST_HEADERS, MOST_RECORDS, NotABatch, Sealed, seal, seal_composed
from quintet_broker.engine.requests import Append
from quintet_broker.engine.state.hashes import HASH_BYTES
from quintet_broker.errors import InvalidArgument, MessageTooLarge
from quintet_broker.services.messages import Content, NewMessage, Producer, ids_from, new_names, record_of

MAX_SEND = MOST_RECORDS
MAX_HEADERS = MOST_HEADERS - 1
"""Of one message."""
FEW = 4
"""Messages that are sooner stored together with others, than as a batch of their own."""
MAX_DELAY = 15 * 60
MAX_PRIORITY = 10
MAX_EXPIRY = 14 * 24 * 60 * 60
MAX_PRODUCER = 2**53 - 1

_DEDUPLICATION_ID_TEXT = re.compile("[!-~]{1,128}")


def append(
    spec: QueueSpec, messages: Sequence[NewMessage], ids: Sequence[bytes], producer: Producer | None, now: int
) -> Append:
    """What stores messages under these ids."""
    _check_all(spec, messages)
    is_fifo = spec.ordering == "Fifo"
    texts = [_deduplication_id(spec, message) for message in messages] if is_fifo else [None] * len(messages)
    delay = spec.delivery_delay.total_seconds()
    return Append(
        now,
        [record_of(*one, now) for one in zip(messages, ids, texts, strict=True)],
        [_due(delay if message.delay is None or is_fifo else message.delay, now) for message in messages],
        producer.id if producer else None,
        [producer.sequence] * len(messages) if producer else None,
        [_hash(spec, *one) for one in zip(messages, texts, strict=True)] if is_fifo else None,
    )


def append_of_plain(spec: QueueSpec, batch: Sealed, contents: Sequence[Content], producer: Producer | None) -> Append:
    """What stores a batch, which holds these plain messages, as it is."""
    _check_contents(spec, contents)
    return _as_it_is(batch, producer, [])


def append_of_batch(
    spec: QueueSpec, batch: Sealed, records: Sequence[Any], producer: Producer | None, stores_whole: bool
) -> Append:
    """What stores a batch, which holds these records, under its own ids: as it is, if a queue with one shard and
    nothing delayed need not look at each message by itself.

    A record's deduplication id is its last header, DEDUPLICATION_ID.
    """
    may_stay = _stores_as_it_is(spec, batch.count, stores_whole)
    is_fifo = spec.ordering == "Fifo"
    if may_stay and not is_fifo and all(record.key is None for record in records):
        return append_of_plain(spec, batch, records, producer)
    messages = [_new_message(record) for record in records]
    # What was sent without an id and gets one of its value, has to be told it.
    told = {message.deduplication_id is not None for message in messages}
    if not may_stay or not is_fifo or len(told) > 1 or (told == {False} and spec.deduplication.content_based):
        return append(spec, messages, ids_from(batch.first_id, batch.count), producer, batch.timestamp)
    _check_all(spec, messages)
    hashes = [_hash(spec, message, message.deduplication_id) for message in messages] if told == {True} else []
    return _as_it_is(batch, producer, hashes)


def _as_it_is(batch: Sealed, producer: Producer | None, hashes: list[bytes | None]) -> Append:
    number, sequence = (producer.id, producer.sequence) if producer else (None, 0)
    return Append.of_batch(batch.timestamp, batch, number, sequence, hashes)


def _new_message(record: Any) -> NewMessage:
    headers = tuple(record.headers)
    if not headers or headers[-1][0] != DEDUPLICATION_ID:
        return NewMessage(record.value or b"", record.key, headers)
    deduplication_id = headers[-1][1].decode("ascii", "replace")
    return NewMessage(record.value or b"", record.key, headers[:-1], deduplication_id=deduplication_id)


def are_plain(spec: QueueSpec, messages: Sequence[NewMessage], stores_whole: bool) -> bool:
    """Whether a queue stores them as one batch, since they are values and headers alone, to be delivered at once."""
    if spec.ordering == "Fifo" or not _stores_as_it_is(spec, len(messages), stores_whole):
        return False
    for message in messages:
        if message.key is not None or message.delay or message.deduplication_id is not None:
            return False
        if message.priority is not None or message.expiry is not None:
            return False
    return True


def _stores_as_it_is(spec: QueueSpec, count: int, stores_whole: bool) -> bool:
    """Whether a queue has one shard and delays nothing, and so many messages are worth a batch of their own."""
    return stores_whole and count >= FEW and not spec.delivery_delay


def sealed(messages: Sequence[NewMessage], names: tuple[int, int], now: int) -> Sealed:
    """Plain messages as one batch."""
    some: list[tuple[bytes, Headers]] = []
    own: Headers = ()
    system: Headers = ()
    is_faces = False
    for message in messages:
        if message.system is not system:
            system = message.system
            own = tuple([(OWN + name, value) for name, value in system])
            is_faces |= bool(own)
        some.append((message.value, message.headers + own if message.headers else own))
    return seal_composed(some, names, now, is_faces=is_faces)


def opened(batch: bytes, shard: int, producer: Producer | None, now: int) -> tuple[Sealed, Sequence[Any]]:
    """A batch that a client encoded, as it may be stored, and its records."""
    try:
        return seal(batch, new_names(shard, producer), now)
    except NotABatch as error:
        raise InvalidArgument(f"This is no batch: {error}.") from error


def check_producer(producer: Producer) -> None:
    if not (0 < producer.id <= MAX_PRODUCER and 0 <= producer.sequence <= MAX_PRODUCER):
        raise InvalidArgument("A producer's id is 1 to 2^53 - 1, its sequence 0 to 2^53 - 1.")


def _check_all(spec: QueueSpec, messages: Sequence[NewMessage]) -> None:
    _check_contents(spec, messages)
    for message in messages:
        _check(spec, message)


def _check_contents(spec: QueueSpec, messages: Sequence[Content]) -> None:
    if not 1 <= len(messages) <= MAX_SEND:
        raise InvalidArgument(f"A send takes 1 to {MAX_SEND} messages.")
    most = spec.max_message_size
    for message in messages:
        size = len(message.value or b"")
        if len(message.headers) > MAX_HEADERS:
            raise InvalidArgument(f"A message has {MAX_HEADERS} headers at most.")
        for name, value in message.headers:
            if name.startswith(OWN):
                if name == DEDUPLICATION_ID:
                    raise InvalidArgument("A deduplication id is for Fifo queues; in a batch it is the last header.")
                raise InvalidArgument(f"Header names that begin with {OWN!r} are reserved.")
            size += (len(name) if name.isascii() else len(name.encode())) + len(value)
        if size > most:
            raise MessageTooLarge(f"The message has {size} bytes; the queue takes at most {most}.")


def _check(spec: QueueSpec, message: NewMessage) -> None:
    if message.delay is not None and not 0 <= message.delay <= MAX_DELAY:
        raise InvalidArgument(f"A delay is 0 to {MAX_DELAY} seconds.")
    if message.expiry is not None and not 0.001 <= message.expiry <= MAX_EXPIRY:
        raise InvalidArgument(f"An expiry is 0.001 to {MAX_EXPIRY} seconds.")
    if message.priority is not None and not 1 <= message.priority <= MAX_PRIORITY:
        raise InvalidArgument(f"A priority is 1 to {MAX_PRIORITY}.")
    if spec.ordering == "Fifo":
        _check_fifo(message)
    elif message.deduplication_id is not None:
        raise InvalidArgument("A deduplication id is for Fifo queues.")


def _check_fifo(message: NewMessage) -> None:
    if message.key is None:
        raise InvalidArgument("In a Fifo queue each message has a key, which is its message group.")
    if message.priority is not None:
        raise InvalidArgument("In a Fifo queue messages have no priority.")
    if message.delay:
        raise InvalidArgument("In a Fifo queue messages have no delay of their own; the queue's deliveryDelay holds.")
    if message.deduplication_id is not None and not _DEDUPLICATION_ID_TEXT.fullmatch(message.deduplication_id):
        raise InvalidArgument("A deduplication id has 1 to 128 letters, digits and punctuation marks of ASCII.")


def _due(delay: float, now: int) -> int | None:
    return now + round(delay * 1000) if delay else None


def _deduplication_id(spec: QueueSpec, message: NewMessage) -> str | None:
    if message.deduplication_id is None and spec.deduplication.content_based:
        return hashlib.sha256(message.value).hexdigest()
    return message.deduplication_id


def _hash(spec: QueueSpec, message: NewMessage, deduplication_id: str | None) -> bytes | None:
    """Of what duplicates have in common."""
    if deduplication_id is None:
        return None
    hashed = hashlib.blake2b(deduplication_id.encode(), digest_size=HASH_BYTES)
    if spec.deduplication.scope == "Group":
        hashed.update(b" " + (message.key or b""))
    return hashed.digest()
