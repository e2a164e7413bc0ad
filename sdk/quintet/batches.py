"""Batches: messages that travel as one RecordBatch v2 of Kafka, so that brokers store and deliver them as they came.

Layout: https://kafka.apache.org/documentation/#recordbatch
"""

import struct
from collections.abc import Sequence
from typing import Any

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
_LARGE = 4 * 1024 * 1024
"""Bytes: more than a frame has, unless it is asked for."""

# glibc takes the memory of each block of 128 KiB and more from the kernel, page by page, which costs more than to fill
# it, until a larger one was freed once: mallopt(3), M_MMAP_THRESHOLD.
bytes(_LARGE)


class _AnyVarint(dict[int, bytes]):
    """Numbers that are not negative as zigzag varints."""

    def __missing__(self, number: int) -> bytes:
        left = number << 1
        found = bytearray()
        while left > 0x7F:
            found.append(left & 0x7F | 0x80)
            left >>= 7
        found.append(left)
        return bytes(found)


Varints = list[bytes] | _AnyVarint
_SHORT = [bytes((n << 1,)) for n in range(64)] + [bytes((n << 1 & 0x7F | 0x80, n >> 6)) for n in range(64, 8192)]
"""Those of one and two bytes: in a list they are found fastest."""
_PLAIN = b"\0\0"
"""Attributes and timestamp delta of a record."""
_NO_KEY = b"\x01"
"""The varint of -1."""
_NO_HEADERS = b"\0"
_FIXED = len(_PLAIN) + len(_NO_KEY) + len(_NO_HEADERS)


def encode(records: Sequence[Plain]) -> bytes:
    """By hand, since a library's encoder computes the CRC-32C itself, without the processor's instruction for it."""
    try:
        content = _content(records, _SHORT)
    except IndexError:
        content = _content(records, _AnyVarint())
    checked = _CHECKED.pack(0, len(records) - 1, 0, 0, *_NO_PRODUCER, len(records))
    crc = google_crc32c.extend(google_crc32c.value(checked), content)
    length = _PLACE.size + len(checked) + len(content) - _COUNTED_FROM
    return b"".join((_PLACE.pack(0, length, 0, _MAGIC, crc), checked, content))


def _content(records: Sequence[Plain], varints: Varints) -> bytes:
    """The records. Raises IndexError where a varint is missing."""
    parts: list[bytes] = []
    for place, (value, key, headers) in enumerate(records):
        at, size = varints[place], varints[len(value)]
        if key is None and not headers:
            length = varints[_FIXED + len(at) + len(size) + len(value)]
            parts += length, _PLAIN, at, _NO_KEY, size, value, _NO_HEADERS
        else:
            front = _PLAIN + at + (_NO_KEY if key is None else varints[len(key)] + key) + size
            told = _headers(headers, varints) if headers else _NO_HEADERS
            parts += varints[len(front) + len(value) + len(told)], front, value, told
    return b"".join(parts)


def _headers(headers: Headers, varints: Varints) -> bytes:
    parts = [varints[len(headers)]]
    for name, content in headers:
        text = name.encode()
        parts += varints[len(text)], text, varints[len(content)], content
    return b"".join(parts)


def decode(batch: bytes) -> Sequence[Any]:
    """Objects with value, key and headers. Raises ValueError where it is damaged."""
    if int.from_bytes(batch[_CRC]) != google_crc32c.value(batch[_CRC_FROM:]):
        raise ValueError("a batch is damaged: its CRC-32C does not match")
    try:
        return list(DefaultRecordBatch(batch))
    except CorruptRecordException as error:
        raise ValueError(f"a batch is damaged: {error}") from error
