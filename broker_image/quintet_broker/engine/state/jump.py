"""Jump: which of a queue's shards takes a record. Pure.

Jump consistent hashing (Lamping and Veach, 2014): where shards are added, keys move to these alone. A shard's place is
its index among the shards of its queue, the oldest first.
"""

import hashlib
import struct

from quintet_broker.engine.records.record import Record

_MASK = 2**64 - 1
_OF_SEND = struct.Struct(">qQ")


def hash_of(record: Record, producer: int | None, sequence: int, ordered: bool) -> int | None:
    """64 bits, the same for the same key. Where an order is kept, records without a key are one group; else those of a
    send come to the same shard each time that the send is tried. None: any shard may take it."""
    if record.key is not None:
        return _hash(record.key)
    if ordered:
        return _hash(b"")
    return None if producer is None else _hash(_OF_SEND.pack(producer, sequence))


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def places_of(hashed: int, count: int) -> list[int]:
    """Where a key was as its queue grew to `count` shards; the last one is where it is.

    It left each of them for the next one with the shard of that place: as the queue had one more than that.
    """
    places = []
    place = 0
    while place < count:
        places.append(place)
        hashed = (hashed * 2862933555777941757 + 1) & _MASK
        place = int((place + 1) * ((1 << 31) / ((hashed >> 33) + 1)))
    return places
