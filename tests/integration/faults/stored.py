"""What a Redis keeps of a shard, read past the broker."""

from itertools import pairwise
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatch
from msgspec import Struct

from quintet_broker.store.keys import Keys


class Batch(Struct):
    """One entry of a log."""

    base: int
    """Offset of its first record."""
    end: int
    """Offset behind its last."""
    data: bytes


class Stored(Struct):
    """One log of a shard."""

    batches: list[Batch]
    """In the order of their offsets."""
    gaps: set[tuple[int, int]]
    """(first offset, offset behind the last) of those that no record ever had."""

    @property
    def used_twice(self) -> list[Batch]:
        """Batches whose offsets another one had before."""
        return [batch for before, batch in pairwise(self.batches) if batch.base < before.end]

    @property
    def unnoticed(self) -> list[tuple[int, int]]:
        """Offsets between two batches that are no gap."""
        ends = dict(self.gaps)
        found = []
        for one, following in pairwise(self.batches):
            end = one.end
            while end in ends:
                end = ends[end]
            if end < following.base:
                found.append((one.end, following.base))
        return found


def rewritten(before: Stored, after: Stored) -> list[Batch]:
    """Batches of `before` whose offsets others have in `after`."""
    others = {batch.base: batch.data for batch in after.batches}
    return [batch for batch in before.batches if others.get(batch.base, batch.data) != batch.data]


def log_of(redis: Any, prefix: str = "test", shard: int = 1, log: int = 0) -> Stored:
    """What a Redis keeps of it."""
    keys = Keys(prefix)
    meta = {field.decode(): value.decode() for field, value in redis.hgetall(keys.meta(shard)).items()}
    batches = []
    for field in meta:
        if field.startswith(f"seg:{log}:"):
            for entry, fields in redis.xrange(keys.of_shard(shard, field)):
                data = fields[b"b"]
                batches.append(Batch(DefaultRecordBatch(data).base_offset, int(entry.partition(b"-")[0]), data))
    gaps = {(int(field.split(":")[2]), int(end)) for field, end in meta.items() if field.startswith(f"gap:{log}:")}
    return Stored(sorted(batches, key=lambda batch: batch.base), gaps)
