"""Sealed: a batch of a client's records that is stored and delivered as it came, without being decoded.

It is a RecordBatch v2 of Kafka with what the broker knows of its records in its header alone: when they were sent
(LogAppendTime), by producer id and base sequence the ids of their messages and, where an order is kept, by its first
timestamp their numbers. So its parts are cut out by bytes, and its records have no header of the engine's but the
deduplication id that their sender gave them. The producer epoch tells whether a face put headers of its own into them:
then no other may deliver them as they are.
Layout: https://kafka.apache.org/documentation/#recordbatch
"""

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import google_crc32c
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from quintet_broker.engine.records.compose import compose
from quintet_broker.engine.records.group import group_of

_HEADER = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, partition leader epoch, magic, CRC, attributes, last offset delta, first and last timestamp,
producer id, its epoch, base sequence, count."""
_PLACE = struct.Struct(">qii")
"""Base offset, length, partition leader epoch: what the CRC leaves out."""
_CRC = struct.Struct(">I")
_CRC_AT = 17
_CRC_FROM = 21
_COUNTED_FROM = 12
"""The length counts from there."""
_LENGTH = struct.Struct(">i")
_LENGTH_AT = 8
_LAST_DELTA = struct.Struct(">i")
_LAST_DELTA_AT = 23
_COUNT = struct.Struct(">I")
_COUNT_AT = 57
_NUMBER = struct.Struct(">q")
_NUMBER_AT = 27
NO_NUMBER = -(1 << 63)
_PRODUCER = struct.Struct(">q")
_PRODUCER_AT = 43
_MAGIC = 2
_LOG_APPEND_TIME = 0x08
_FACES = 1
"""Producer epoch of a batch whose records have headers of a face's own."""
_64_BITS = (1 << 64) - 1
MOST_RECORDS = 10_000
MOST_HEADERS = 65
"""Of one record: its sender's, and a deduplication id. What is decoded of a byte takes up to forty, so more are refused
before they are decoded."""
LARGE = 256 * 1024
"""Bytes of a batch, and of a record, in which more headers could be than may be decoded for nothing."""
PRODUCER_BITS = 63
SEQUENCE_BITS = 31


class NotABatch(ValueError):
    """Bytes are no batch that can be sealed; the text says why."""


class Sealed:
    """Immutable. Of n records out of m that were sealed together, the first has the offset delta `start`."""

    __slots__ = ("_ends", "_groups", "_number", "count", "data", "is_faces", "names", "offset", "start", "timestamp")

    def __init__(self, data: bytes, ends: list[int] | None = None, groups: "array[int] | None" = None) -> None:
        """Of bytes that `is_sealed`; `ends` is where its header ends and each record, if that is known."""
        self.data = data
        fields = _HEADER.unpack_from(data)
        self._number: int = fields[7]
        self.timestamp: int = fields[8]
        """Milliseconds since 1970, when its records were sent."""
        self.names: tuple[int, int] = fields[9], fields[11]
        """Producer id and base sequence, of which `first_id` makes ids."""
        self.is_faces: bool = fields[10] == _FACES
        """Whether its records have headers of a face's own."""
        self.count: int = fields[12]
        self.start: int = fields[6] - self.count + 1
        self.offset: int = fields[0] + self.start
        """Of its first record, once it is placed."""
        self._ends = ends
        self._groups = groups

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def first_id(self) -> int:
        """The id of its first message, as a number; the others follow it."""
        return first_id(*self.names) + self.start

    @property
    def first_number(self) -> int | None:
        """The number of its first record, and the others follow it; None where no order is kept."""
        return None if self._number == NO_NUMBER else self._number + self.start

    @property
    def groups(self) -> "array[int]":
        """Of each record its message group: its key's hash, the same within one process."""
        if self._groups is None:
            self._groups = groups_of(DefaultRecordBatch(self.data))
        return self._groups

    @property
    def contents(self) -> Iterator[Any]:
        """What is in it: objects with key, value and headers."""
        return iter(DefaultRecordBatch(self.data))

    def placed(self, offset: int, epoch: int) -> "Sealed":
        """The same with its first record at an offset, written by the owner of `epoch`."""
        place = _PLACE.pack(offset - self.start, len(self.data) - _COUNTED_FROM, epoch)
        data = b"".join((place, memoryview(self.data)[_PLACE.size :]))
        return Sealed(data, self._ends, self._groups)

    def numbered(self, number: int) -> "Sealed":
        """The same with numbers for its records, the first of which is `number`."""
        header = bytearray(self.data[: _HEADER.size])
        _NUMBER.pack_into(header, _NUMBER_AT, number - self.start)
        return Sealed(_joined(header, self.data[_HEADER.size :]), self._ends, self._groups)

    def part(self, place: int, count: int) -> "Sealed":
        """`count` of its records, from that place on."""
        if count == self.count:
            return self
        ends = self._records_end()
        header = bytearray(self.data[: _HEADER.size])
        _LAST_DELTA.pack_into(header, _LAST_DELTA_AT, self.start + place + count - 1)
        _COUNT.pack_into(header, _COUNT_AT, count)
        data = _joined(header, self.data[ends[place] : ends[place + count]])
        before = ends[place] - _HEADER.size
        groups = self._groups and self._groups[place : place + count]
        return Sealed(data, [end - before for end in ends[place : place + count + 1]], groups)

    def parts(self, most_bytes: int) -> Iterator["Sealed"]:
        """All of it in batches of at most so many bytes, unless one record is larger."""
        if self.size <= most_bytes:
            yield self
            return
        ends = self._records_end()
        most_bytes -= _HEADER.size
        place = 0
        while place < self.count:
            end = place + 1
            while end < self.count and ends[end + 1] - ends[place] <= most_bytes:
                end += 1
            yield self.part(place, end - place)
            place = end

    def _records_end(self) -> list[int]:
        """Where the header ends, and each record."""
        if self._ends is None:
            self._ends = _ends(self.data, self.count)
        return self._ends


def seal(batch: bytes, names: tuple[int, int], now: int) -> tuple[Sealed, Sequence[Any]]:
    """A client's batch, sealed under these names, and what is in it: objects with key, value and headers.

    Raises NotABatch.
    """
    if len(batch) < _HEADER.size:
        raise NotABatch("it is shorter than a batch's header")
    fields = _HEADER.unpack_from(batch)
    base, length, _, magic, crc, attributes, last_delta, *_, count = fields
    if magic != _MAGIC or attributes & ~_LOG_APPEND_TIME:
        raise NotABatch("it is no RecordBatch v2 without compression, transaction and control records")
    if length != len(batch) - _COUNTED_FROM or not 0 < count <= length or last_delta != count - 1:
        raise NotABatch("its length or count is wrong")
    if count > MOST_RECORDS:
        raise NotABatch(f"it has more than {MOST_RECORDS} records")
    content = batch[_HEADER.size :]
    if crc != google_crc32c.extend(google_crc32c.value(batch[_CRC_FROM : _HEADER.size]), content):
        raise NotABatch("its CRC-32C does not match")
    try:
        ends = _checked_ends(batch, count) if length > LARGE else None
        # Its base offset means nothing.
        records = _checked(DefaultRecordBatch(batch if base == 0 else bytes(8) + batch[8:]))
    except NotABatch:
        raise
    except (CorruptRecordException, ValueError, IndexError, MemoryError, OverflowError) as error:
        raise NotABatch(f"its records cannot be read: {error}") from error
    groups = groups_of(records) if records[0].key is not None else None
    return Sealed(_sealed(count, now, names, content), ends, groups), records


def seal_composed(
    some: Sequence[tuple[bytes, Sequence[tuple[str, bytes]]]], names: tuple[int, int], now: int, *, is_faces: bool
) -> Sealed:
    """Values and headers, sealed under these names. `is_faces`: some headers are a face's own."""
    return Sealed(_sealed(len(some), now, names, compose(some), is_faces=is_faces))


def _checked(batch: DefaultRecordBatch) -> list[Any]:
    """Its records. Raises NotABatch."""
    records = []
    for record in batch:
        if record.headers:
            if len(record.headers) > MOST_HEADERS:
                raise NotABatch(f"a record has more than {MOST_HEADERS} headers")
            if any(value is None for _, value in record.headers):
                raise NotABatch("a header has no value")
        records.append(record)
    if [record.offset for record in records] != list(range(len(records))):
        raise NotABatch("its offsets are not 0, 1, 2, ...")
    return records


def _checked_ends(batch: bytes, count: int) -> list[int]:
    """Where the header ends, and each record. Raises NotABatch where one has too many headers to be decoded at all."""
    ends = _ends(batch, count)
    for start, end in pairwise(ends):
        if end - start > LARGE and _headers(batch, start) > MOST_HEADERS:
            raise NotABatch(f"a record has more than {MOST_HEADERS} headers")
    return ends


def _headers(batch: bytes, at: int) -> int:
    """How many headers a record has. Raises IndexError where it ends before."""
    _, at = _varint(batch, at)
    # Behind its attributes.
    _, at = _varint(batch, at + 1)
    _, at = _varint(batch, at)
    for _ in "key", "value":
        size, at = _varint(batch, at)
        at += max(size, 0)
    return _varint(batch, at)[0]


def _ends(batch: bytes, count: int) -> list[int]:
    """Where the header ends, and each record, of which none has a length below 0."""
    at = _HEADER.size
    ends = [at]
    for _ in range(count):
        # Most take two bytes at most.
        byte = batch[at]
        if byte < 0x80:
            at += 1 + (byte >> 1)
        elif (next_byte := batch[at + 1]) < 0x80:
            at += 2 + ((byte & 0x7F | next_byte << 7) >> 1)
        else:
            length, at = _varint(batch, at)
            at += length
        ends.append(at)
    return ends


def _varint(batch: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint of 64 bits, and where it ends. Raises IndexError, ValueError where it goes on and on."""
    byte = batch[at]
    at += 1
    value, shift = byte & 0x7F, 7
    while byte & 0x80:
        if shift > 63:
            raise ValueError("a number has more than 64 bits")
        byte = batch[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    value &= _64_BITS
    return value >> 1 ^ -(value & 1), at


def told_count(batch: bytes) -> int:
    """How many records it has, as a client says that has not been checked."""
    return int(_COUNT.unpack_from(batch, _COUNT_AT)[0]) if len(batch) >= _HEADER.size else 0


def is_sealed(batch: bytes) -> bool:
    """Whether a stored batch is one, if it is intact."""
    if len(batch) < _HEADER.size:
        return False
    producer: int = _PRODUCER.unpack_from(batch, _PRODUCER_AT)[0]
    return producer >= 0


def is_intact(batch: bytes) -> bool:
    crc: int = _CRC.unpack_from(batch, _CRC_AT)[0]
    return bool(crc == google_crc32c.value(batch[_CRC_FROM:]))


def groups_of(records: Iterable[Any]) -> "array[int]":
    """Of each record its message group."""
    return array("q", [group_of(record) for record in records])


def first_id(producer: int, sequence: int) -> int:
    """The UUID, as a number, of the record with offset delta 0: version 8 of RFC 9562, in which the 63 bits of a
    producer id, the 31 of a base sequence and 28 for deltas lie one behind the other."""
    high, low = producer >> 3, (producer & 7) << 59 | sequence << 28
    return (high >> 12) << 80 | 8 << 76 | (high & 0xFFF) << 64 | 2 << 62 | low


def _sealed(count: int, timestamp: int, names: tuple[int, int], records: bytes, *, is_faces: bool = False) -> bytes:
    producer, sequence = names
    header = bytearray(_HEADER.size)
    # What is 0 here is placed, and joined, later.
    _HEADER.pack_into(
        header,
        0,
        0,
        0,
        0,
        _MAGIC,
        0,
        _LOG_APPEND_TIME,
        count - 1,
        NO_NUMBER,
        timestamp,
        producer,
        _FACES if is_faces else 0,
        sequence,
        count,
    )
    return _joined(header, records)


def _joined(header: bytearray, records: bytes) -> bytes:
    """A batch of them, with the length and the CRC that fit."""
    _LENGTH.pack_into(header, _LENGTH_AT, len(header) + len(records) - _COUNTED_FROM)
    crc = google_crc32c.extend(google_crc32c.value(bytes(header[_CRC_FROM:])), records)
    _CRC.pack_into(header, _CRC_AT, crc)
    return b"".join((header, records))
