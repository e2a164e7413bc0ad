"""Batches: messages that travel as one RecordBatch v2 of Kafka, so that brokers store and deliver them as they came.

Layout: https://kafka.apache.org/documentation/#recordbatch
"""

import struct
from collections.abc import Sequence

import google_crc32c
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from quintet.message import Headers, Plain

_PLACE = struct.Struct(">qiibI")
"""Base offset, length, partition leader epoch, magic, CRC."""
_CHECKED = struct.Struct(">hiqqqhii")
"""Attributes, last offset delta, first and last timestamp, producer id, its epoch, base sequence, count. The CRC begins
here."""
_COUNTED_FROM = 12
"""The length counts from there."""
_MAGIC = 2
_NO_PRODUCER = (-1, -1, -1)
_CRC = slice(17, 21)
_CRC_FROM = 21
_SHORT = 8192
"""Lengths and places below it take two bytes at most."""
_LARGE = 4 * 1024 * 1024
"""Bytes: more than a frame has, unless it is asked for."""

# glibc takes the memory of each block of 128 KiB and more from the kernel, page by page, which costs more than to fill
# it, until a larger one was freed once: mallopt(3), M_MMAP_THRESHOLD.
bytes(_LARGE)


class _Varints(dict[int, bytes]):
    """Numbers that are not negative as zigzag varints; short ones are kept."""

    def __missing__(self, number: int) -> bytes:
        left = number << 1
        found = bytearray()
        while left > 0x7F:
            found.append(left & 0x7F | 0x80)
            left >>= 7
        found.append(left)
        if number < _SHORT:
            self[number] = bytes(found)
        return bytes(found)


_VARINTS = _Varints()
_PLAIN = b"\0\0"
"""Attributes and timestamp delta of a record."""
_NO_KEY = b"\x01"
"""The varint of -1."""
_NO_HEADERS = b"\0"


def encode(records: Sequence[Plain]) -> bytes:
    """By hand, since a library's encoder computes the CRC-32C itself, without the processor's instruction for it."""
    parts: list[bytes] = []
    for place, (value, key, headers) in enumerate(records):
        front = _PLAIN + _VARINTS[place] + (_NO_KEY if key is None else _VARINTS[len(key)] + key)
        size = _VARINTS[len(value)]
        told = _headers(headers) if headers else _NO_HEADERS
        parts += _VARINTS[len(front) + len(size) + len(value) + len(told)], front, size, value, told
    content = b"".join(parts)
    checked = _CHECKED.pack(0, len(records) - 1, 0, 0, *_NO_PRODUCER, len(records))
    crc = google_crc32c.extend(google_crc32c.value(checked), content)
    length = _PLACE.size + len(checked) + len(content) - _COUNTED_FROM
    return b"".join((_PLACE.pack(0, length, 0, _MAGIC, crc), checked, content))


def _headers(headers: Headers) -> bytes:
    parts = [_VARINTS[len(headers)]]
    for name, content in headers:
        text = name.encode()
        parts += _VARINTS[len(text)], text, _VARINTS[len(content)], content
    return b"".join(parts)


def decode(batch: bytes) -> list[Plain]:
    """Raises ValueError where it is damaged."""
    if int.from_bytes(batch[_CRC]) != google_crc32c.value(batch[_CRC_FROM:]):
        raise ValueError("a batch is damaged: its CRC-32C does not match")
    try:
        return [(record.value or b"", record.key, record.headers) for record in DefaultRecordBatch(batch)]
    except CorruptRecordException as error:
        raise ValueError(f"a batch is damaged: {error}") from error
