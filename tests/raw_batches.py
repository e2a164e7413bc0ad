"""RecordBatches of Kafka byte by byte, for what no library writes."""

import random
import struct
from collections.abc import Sequence
from typing import Any

import google_crc32c

Header = tuple[bytes, bytes | None]

_HEAD = struct.Struct(">qiibIhiqqqhii")
_LOG_APPEND_TIME = 8


def varint(number: int, longer: int = 0) -> bytes:
    """Zigzag; `longer` by so many bytes that change nothing."""
    left = (number << 1) ^ (number >> 63)
    found = bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    for _ in range(longer):
        found[-1] |= 0x80
        found.append(0)
    return bytes(found)


def overflowing(number: int) -> bytes:
    """The same in ten bytes, whose last one has bits beyond 64."""
    left = ((number << 1) ^ (number >> 63)) & (1 << 64) - 1
    found = bytearray()
    for _ in range(9):
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left | 0x7E])


def record(
    place: int,
    value: bytes | None = b"",
    key: bytes | None = None,
    headers: Sequence[Header] = (),
    *,
    count: int | None = None,
    length: bytes | None = None,
) -> bytes:
    """`count` headers are told, and `length` as that of the record."""
    content = b"\0" + varint(0) + varint(place) + _told(key) + _told(value)
    content += varint(len(headers) if count is None else count)
    content += b"".join([varint(len(name)) + name + _told(found) for name, found in headers])
    return (varint(len(content)) if length is None else length) + content


def _told(content: bytes | None) -> bytes:
    return varint(-1) if content is None else varint(len(content)) + content


def batch(
    records: bytes,
    count: int,
    *,
    last: int | None = None,
    attributes: int = 0,
    magic: int = 2,
    length: int | None = None,
) -> bytes:
    """With a CRC that fits."""
    head = bytearray(_HEAD.size)
    told = len(head) + len(records) - 12 if length is None else length
    last = max(count - 1, -1) if last is None else last
    _HEAD.pack_into(head, 0, 0, told, -1, magic, 0, attributes, last, 0, 0, -1, -1, -1, count)
    struct.pack_into(">I", head, 17, google_crc32c.extend(google_crc32c.value(bytes(head[21:])), records))
    return bytes(head) + records


def batch_of(*records: bytes) -> bytes:
    return batch(b"".join(records), len(records))


def bombs(mib: int = 15) -> dict[str, bytes]:
    """Batches that are whole, or nearly, and take up to forty times as much memory decoded."""
    size = mib * 1024 * 1024
    one, most = record(0), 10_000
    return {
        "many records": batch(one * (size // len(one)), size // len(one)),
        "many headers of one": batch_of(_with_headers(0, size // 2)),
        "many headers of each": batch_of(*(_with_headers(place, size // 2 // most) for place in range(most))),
        "many headers of a large one": batch_of(_with_headers(0, size // 4, bytes(size // 2))),
        "many headers of a short one": batch_of(_with_headers(0, most)),
    }


def _with_headers(place: int, count: int, value: bytes = b"") -> bytes:
    """A record with so many empty headers."""
    content = record(place, value, count=count, length=b"") + b"\0\0" * count
    return varint(len(content)) + content


def mutant(choice: random.Random) -> bytes:
    """A batch of a few records of which some bytes, lengths or counts are not as they must be, with a CRC that fits."""
    count = choice.randint(1, 6)
    records = b"".join([_mutant(choice, place) for place in range(count)])
    if choice.random() < 0.3:
        changed = bytearray(records)
        for _ in range(choice.randint(1, 3)):
            at = choice.randrange(len(changed) or 1)
            changed[at : at + choice.randint(0, 1)] = choice.randbytes(choice.choice((0, 1, 1, 5)))
        records = bytes(changed)
    return batch(
        records,
        _mostly(choice, count, [0, -1, count + 1, 2**31 - 1, len(records)]),
        last=_mostly(choice, count - 1, [-1, 0, 5]),
        attributes=choice.choice([0] * 20 + [_LOG_APPEND_TIME] * 3 + [1, 2, 3, 4, 7, 16, 32, 64, -1, -(2**15)]),
        magic=_mostly(choice, 2, [0, 1, 3]),
        length=_mostly(choice, None, [0, -1, 2**31 - 1]),
    )


def _mutant(choice: random.Random, place: int) -> bytes:
    headers = [
        (_mostly(choice, b"name", [b"", b"\xff", b"quintet-id"]), _mostly(choice, b"value", [b"", None]))
        for _ in range(choice.choice((0, 0, 1, 3)))
    ]
    content = record(
        _mostly(choice, place, [-1, place + 1, 2**40]),
        choice.choice([None, b"", choice.randbytes(choice.randint(0, 300))]),
        choice.choice([None, None, None, b"key"]),
        headers,
        count=_mostly(choice, len(headers), [-1, 65, 2**31, 2**62]),
        length=b"",
    )
    told = _mostly(choice, len(content), [0, -1, len(content) + 1, 2**40])
    form = choice.random()
    return (varint(told) if form < 0.8 else varint(told, 3) if form < 0.9 else overflowing(told)) + content


def _mostly(choice: random.Random, usual: Any, others: Sequence[Any]) -> Any:
    return usual if choice.random() < 0.97 else choice.choice(others)
