"""Record, and the batches that hold records: Kafka's RecordBatch v2, for every kind of messaging.

A batch is encoded once, stored and, where the reader can take it whole, delivered as it is.
Layout: https://kafka.apache.org/documentation/#recordbatch
"""

import logging
import struct
from collections.abc import Iterable, Sequence

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from msgspec import Struct

from quintet_broker.engine.records.sealed import NO_NUMBER, first_id, is_intact

logger = logging.getLogger(__name__)

Headers = tuple[tuple[str, bytes], ...]
"""(name, value) in the producer's order."""

ID = "quintet-id"
"""Header: 16 bytes that name a message, wherever it goes."""
NUMBER = "quintet-number"
"""Header, in digits: grows with each record that was sent to a queue that keeps an order."""
MAX_BATCH_BYTES = 256 * 1024
"""A batch is at most this long unless one record is larger, so that one record left alone pins little."""

_BASE_OFFSET_AND_EPOCH = struct.Struct(">q i i")  # base offset, length, partition leader epoch
_HEADER_BYTES = 61
_NO_PRODUCER = -1
_UNBOUNDED = 1 << 31


class Record(Struct, frozen=True, gc=False, array_like=True):
    """What every face's message becomes. Its offset is its place in a batch."""

    value: bytes
    timestamp: int
    """Milliseconds since 1970, when it was sent."""
    key: bytes | None = None
    headers: Headers = ()

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        size = len(self.value) + len(self.key or b"")
        for name, value in self.headers:
            size += len(name) + len(value)
        return size

    def header(self, name: str) -> bytes | None:
        """The first header of that name."""
        for found, value in self.headers:
            if found == name:
                return value
        return None


def encode(records: Sequence[Record], base: int = 0, epoch: int = 0) -> bytes:
    """A batch of `records` that begins at offset `base`, written by the owner of `epoch`."""
    return _encode(enumerate(records), base, epoch)


def encode_sparse(records: Sequence[tuple[int, Record]], epoch: int) -> bytes:
    """A batch of (offset, record) pairs, between which offsets may be missing."""
    base = records[0][0]
    return _encode(((offset - base, record) for offset, record in records), base, epoch)


def _encode(records: Iterable[tuple[int, Record]], base: int, epoch: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=_NO_PRODUCER,
        producer_epoch=_NO_PRODUCER,
        base_sequence=_NO_PRODUCER,
        batch_size=_UNBOUNDED,
    )
    for place, record in records:
        builder.append(place, record.timestamp, record.key, record.value, list(record.headers))
    batch = bytearray(builder.build())
    # The CRC begins behind these fields, so that whoever stores a batch can place it.
    _, length, _ = _BASE_OFFSET_AND_EPOCH.unpack_from(batch)
    _BASE_OFFSET_AND_EPOCH.pack_into(batch, 0, base, length, epoch)
    return bytes(batch)


def decode(batch: bytes) -> list[tuple[int, Record]]:
    """(offset, Record) for each record of a batch. Raises ValueError if it is damaged."""
    if len(batch) < _HEADER_BYTES:
        raise ValueError(f"a batch of {len(batch)} bytes is damaged: it is shorter than a batch's header")
    if not is_intact(batch):
        raise ValueError(f"batch at offset {_BASE_OFFSET_AND_EPOCH.unpack_from(batch)[0]} is damaged: its CRC is wrong")
    return read(batch)


def read(batch: bytes) -> list[tuple[int, Record]]:
    """As `decode`, of a batch that is known to be intact."""
    reader = DefaultRecordBatch(batch)
    if reader.producer_id == _NO_PRODUCER:
        return [(one.offset, Record(one.value or b"", one.timestamp, one.key, tuple(one.headers))) for one in reader]
    # A sealed one, whose header names its records.
    first = first_id(reader.producer_id, reader.base_sequence) - reader.base_offset
    number = None if reader.first_timestamp == NO_NUMBER else reader.first_timestamp - reader.base_offset
    pairs = []
    for one in reader:
        headers = ((ID, (first + one.offset).to_bytes(16)), *one.headers)
        if number is not None:
            headers += ((NUMBER, b"%d" % (number + one.offset)),)
        pairs.append((one.offset, Record(one.value or b"", one.timestamp, one.key, headers)))
    return pairs


def decode_intact(batch: bytes) -> list[tuple[int, Record]]:
    """As `decode`; a damaged batch is told in the log and passed over, so that it does not hold up the others."""
    try:
        return decode(batch)
    except ValueError as error:
        logger.error("records are passed over: %s", error)
        return []


def gather(records: Sequence[Record]) -> list[list[Record]]:
    """Split records, in order, into batches of at most MAX_BATCH_BYTES."""
    batches: list[list[Record]] = []
    room = 0
    for record in records:
        size = record.size
        if not batches or size > room:
            batches.append([])
            room = MAX_BATCH_BYTES
        batches[-1].append(record)
        room -= size
    return batches
