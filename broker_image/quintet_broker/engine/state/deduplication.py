"""Deduplication: the ids of what was sent lately.

The store keeps them by buckets of ten seconds, each a string of what a tick added at a time:

    how many ids u32, how many runs u32
    for each run: how many of these ids come before it u32, sequence of its first message u64, its id (16 bytes)
    for each id: its hash (16 bytes)

A *run* is of messages whose sequences and ids follow each other, as those of one send do. So an id takes little more
than its hash.
"""

import asyncio
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Protocol

from quintet_broker.engine.requests import Sent
from quintet_broker.engine.state.hashes import HASH_BYTES, Hashes

WINDOW = 5 * 60 * 1000
"""Milliseconds for which an id is remembered, and at most one bucket longer."""
BUCKET = 10 * 1000
"""Milliseconds."""
KEPT = WINDOW + 2 * BUCKET
"""Milliseconds after which the store may drop a bucket, once nothing is added to it."""
LOADED_AT_ONCE = 5_000
"""Ids, in a turn of the event loop."""

_COUNTS = struct.Struct("<II")
_RUN = struct.Struct("<IQ16s")
_FIRST = struct.Struct("<Q16s")


class Reader(Protocol):
    """What buckets are read from. All may raise Unavailable."""

    async def bucket_sizes(self, shard: int, buckets: Sequence[int]) -> list[int]: ...
    async def bucket(self, shard: int, bucket: int) -> bytes: ...


class Deduplication:
    """What a shard remembers: about 30 bytes an id, and 32 a run. `now` is an argument."""

    def __init__(self, stored: Sequence[int] = ()) -> None:
        """`stored`: the buckets that there may be, in order. `fetch` is to load all before anything is looked up."""
        self.buckets: dict[int, int] = {}
        """The place of the first id of each, oldest first."""
        self._stored = stored
        self._is_sized = False
        """Whether there is room for all of them."""
        self._hashes = Hashes()
        self._starts = array("Q")
        """Of each run: the place of its first id."""
        self._firsts = bytearray()
        """Of each run: sequence and id of its first message."""
        self._added_runs = bytearray()
        self._added_hashes = bytearray()

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return self._hashes.size + len(self._starts) * (8 + _FIRST.size)

    @property
    def first_and_last(self) -> str | None:
        """Which buckets there may be, as `meta` keeps it."""
        return f"{next(iter(self.buckets))}:{self.last_bucket}" if self.buckets else None

    @property
    def last_bucket(self) -> int:
        """Where there is one."""
        return next(reversed(self.buckets))

    def find(self, hashed: bytes, now: int) -> Sent | None:
        """What was sent first under an id, if that was lately."""
        return self.known([hashed], now).get(hashed)

    def known(self, hashes: Sequence[bytes], now: int) -> dict[bytes, Sent]:
        """Of some ids, what was sent first under each that came lately."""
        self.forget(now)
        return {hashed: self._sent(place) for hashed, place in self._hashes.find(hashes)}

    def _sent(self, place: int) -> Sent:
        run = bisect_right(self._starts, place) - 1
        further = place - self._starts[run]
        sequence, message_id = _FIRST.unpack_from(self._firsts, run * _FIRST.size)
        return Sent((int.from_bytes(message_id) + further).to_bytes(16), sequence + further)

    def add(self, hashes: Sequence[bytes], sent: Sequence[Sent], now: int) -> None:
        """Remember what was sent first under each of these ids, none of which is known."""
        self._add(hashes, [(start, sent[start]) for start in _runs(sent)], now)

    def add_run(self, hashes: Sequence[bytes], first: Sent, now: int) -> None:
        """As `add`, of messages whose sequences and ids follow those of the first one."""
        self._add(hashes, [(0, first)], now)

    def _add(self, hashes: Sequence[bytes], runs: Sequence[tuple[int, Sent]], now: int) -> None:
        self._begin_bucket(bucket_of(now))
        before = len(self._added_hashes) // HASH_BYTES
        for start, first in runs:
            sequence = first.sequence or 0
            self._begin_run(self._hashes.next + start, sequence, first.id)
            self._added_runs += _RUN.pack(before + start, sequence, first.id)
        joined = b"".join(hashes)
        self._hashes.add(joined)
        self._added_hashes += joined

    def take_added(self) -> bytes:
        """What was added since the last call, as the last bucket is to keep it."""
        counts = _COUNTS.pack(len(self._added_hashes) // HASH_BYTES, len(self._added_runs) // _RUN.size)
        added = counts + self._added_runs + self._added_hashes if self._added_hashes else b""
        self._added_runs.clear()
        self._added_hashes.clear()
        return added

    # After a change of owner

    @property
    def is_complete(self) -> bool:
        """Whether all is loaded."""
        return not self._stored

    async def fetch(self, store: Reader, shard: int) -> None:
        """Load the next bucket. Raises Unavailable."""
        if not self._is_sized:
            sizes = await store.bucket_sizes(shard, self._stored)
            # As many cells again, so that what comes next makes no other index at once.
            self._hashes = Hashes(2 * sum(sizes) // HASH_BYTES)
            self._is_sized = True
        if self._stored:
            for _ in self._load(self._stored[0], await store.bucket(shard, self._stored[0])):
                await asyncio.sleep(0)
            self._stored = self._stored[1:]

    def _load(self, bucket: int, entries: bytes) -> Iterator[None]:
        """A bucket that is later than those before."""
        self._begin_bucket(bucket)
        place = 0
        while place < len(entries):
            ids, runs = _COUNTS.unpack_from(entries, place)
            place += _COUNTS.size
            for start, sequence, message_id in _RUN.iter_unpack(entries[place : place + runs * _RUN.size]):
                self._begin_run(self._hashes.next + start, sequence, message_id)
            place += runs * _RUN.size
            end = place + ids * HASH_BYTES
            while place < end:
                some = min(end, place + LOADED_AT_ONCE * HASH_BYTES)
                self._hashes.add(entries[place:some])
                place = some
                yield

    # Changes

    def _begin_bucket(self, bucket: int) -> None:
        # The last owner's clock may have been a little ahead.
        if not self.buckets or bucket > self.last_bucket:
            self.buckets[bucket] = self._hashes.next

    def _begin_run(self, place: int, sequence: int, message_id: bytes) -> None:
        self._starts.append(place)
        self._firsts += _FIRST.pack(sequence, message_id)

    def forget(self, now: int) -> None:
        """Let go of what is too old, once all is loaded: of a bucket that is just loaded, more is to come."""
        oldest = (now - WINDOW) // BUCKET
        if not self.is_complete or not self.buckets or next(iter(self.buckets)) >= oldest:
            return
        self.buckets = {bucket: first for bucket, first in self.buckets.items() if bucket >= oldest}
        first = next(iter(self.buckets.values()), self._hashes.next)
        self._hashes.forget(first)
        # The run of the first one that is left may have begun before.
        gone = bisect_right(self._starts, first) - 1 if self.buckets else len(self._starts)
        del self._starts[:gone]
        del self._firsts[: gone * _FIRST.size]


def bucket_of(now: int) -> int:
    return now // BUCKET


def _runs(sent: Sequence[Sent]) -> Iterator[int]:
    """Where each run begins."""
    following = None
    for place, one in enumerate(sent):
        number = int.from_bytes(one.id)
        if (number, one.sequence) != following:
            yield place
        following = number + 1, (one.sequence or 0) + 1
