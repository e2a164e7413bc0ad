"""Deduplication: the ids of what was sent lately. Pure; `now` is an argument.

The store keeps them by buckets of ten seconds, each a string of entries:

    hash of the id (16 bytes), id of the message that came with it first (16 bytes), its sequence u64
"""

import struct
from collections.abc import Mapping

from msgspec import Struct

WINDOW = 5 * 60 * 1000
"""Milliseconds for which an id is remembered, and at most one bucket longer."""
BUCKET = 10 * 1000
"""Milliseconds."""
KEPT = WINDOW + 2 * BUCKET
"""Milliseconds after which the store may drop a bucket, once nothing is added to it."""
MAX_IDS = 1_000_000
"""Of one shard."""

HASH_BYTES = 16
_ENTRY = struct.Struct("<16s16sQ")
_HELD = struct.Struct("<16s16sQI")
"""An entry and its bucket."""


class Sent(Struct, frozen=True, array_like=True):
    """What a send is confirmed with."""

    id: bytes
    """Of the message."""
    sequence: int | None
    """Grows with each record that its shard stores; None where an earlier try stored it, and it is not known."""


class Deduplication:
    """A flat table: the entries whose hashes begin alike lie side by side, oldest first, about 60 bytes each."""

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        """How many ids came in each, oldest first."""
        self._count = 0
        self._slots: dict[bytes, bytes] = {}
        """By the first two bytes of the hash."""

    @classmethod
    def load(cls, buckets: Mapping[int, bytes]) -> "Deduplication":
        found = cls()
        for bucket in sorted(buckets):
            for hashed, message_id, sequence in _ENTRY.iter_unpack(buckets[bucket]):
                found._add(hashed, Sent(message_id, sequence), bucket)
        return found

    @property
    def first_and_last(self) -> str:
        """Which buckets there may be, as `meta` keeps it."""
        return f"{min(self.buckets)}:{max(self.buckets)}"

    def is_full(self, now: int) -> bool:
        self.forget(now)
        return self._count >= MAX_IDS

    def find(self, hashed: bytes, now: int) -> Sent | None:
        """What was sent first under an id, if that was lately."""
        slot = self._slots.get(hashed[:2], b"")
        place = slot.rfind(hashed)
        while place > 0 and place % _HELD.size:
            place = slot.rfind(hashed, 0, place + HASH_BYTES - 1)
        if place < 0:
            return None
        _, message_id, sequence, bucket = _HELD.unpack_from(slot, place)
        return Sent(message_id, sequence) if bucket >= _oldest(now) else None

    def add(self, hashed: bytes, sent: Sent, now: int) -> bytes:
        """Remember what was sent first under an id; the entry for the bucket of `now`."""
        self._add(hashed, sent, bucket_of(now))
        return _ENTRY.pack(hashed, sent.id, sent.sequence)

    def _add(self, hashed: bytes, sent: Sent, bucket: int) -> None:
        slot = self._slots.get(hashed[:2], b"")
        self._slots[hashed[:2]] = slot + _HELD.pack(hashed, sent.id, sent.sequence, bucket)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self._count += 1

    def forget(self, now: int) -> None:
        """Let go of what is too old."""
        oldest = _oldest(now)
        gone = [bucket for bucket in self.buckets if bucket < oldest]
        if not gone:
            return
        for bucket in gone:
            self._count -= self.buckets.pop(bucket)
        kept = ((begin, _since(slot, oldest)) for begin, slot in self._slots.items())
        self._slots = {begin: slot for begin, slot in kept if slot}


def bucket_of(now: int) -> int:
    return now // BUCKET


def _oldest(now: int) -> int:
    """The first bucket that is remembered."""
    return (now - WINDOW) // BUCKET


def _since(slot: bytes, oldest: int) -> bytes:
    """The entries of a slot from that bucket on."""
    place = 0
    while place < len(slot) and _HELD.unpack_from(slot, place)[3] < oldest:
        place += _HELD.size
    return slot[place:]
