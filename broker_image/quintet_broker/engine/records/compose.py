"""Compose: the records of a RecordBatch v2, as they lie behind its header.

Layout: https://kafka.apache.org/documentation/#record
"""

from collections.abc import Iterable, Sequence


def compose(some: Iterable[tuple[bytes, Sequence[tuple[str, bytes]]]]) -> bytes:
    """Records of these values and headers, whose offset deltas are 0, 1, 2, ... and which have no keys."""
    parts: list[bytes] = []
    before: Sequence[tuple[str, bytes]] = ()
    tail = b"\0"
    for place, (value, headers) in enumerate(some):
        size = len(value)
        # Attributes, timestamp delta, offset delta, no key.
        head = b"\0\0%b\1%b" % (_SHORT[place], _SHORT[size] if size < _SHORTER else _varint(size))
        if headers is not before:
            # Many have the same.
            before, tail = headers, _headers(headers)
        size += len(head) + len(tail)
        parts += _SHORT[size] if size < _SHORTER else _varint(size), head, value, tail
    return b"".join(parts)


def _headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    parts = [_SHORT[len(headers)]]
    for name, value in headers:
        encoded = name.encode()
        parts += _varint(len(encoded)), encoded, _varint(len(value)), value
    return b"".join(parts)


def _varint(number: int) -> bytes:
    """Zigzag, of a number that is not below 0."""
    parts = bytearray()
    rest = number << 1
    while rest >= 0x80:
        parts.append(rest & 0x7F | 0x80)
        rest >>= 7
    parts.append(rest)
    return bytes(parts)


_SHORTER = 10_240
_SHORT = [_varint(number) for number in range(_SHORTER)]
"""Those of most lengths, and of all places."""
