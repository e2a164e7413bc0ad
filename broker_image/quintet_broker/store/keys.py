"""Every key in Redis, on one page.

All keys of a shard share one hash tag, so that a script never touches two slots of a Redis Cluster. The pool itself is
shard 0. Names never enter keys: the pool's directory gives each shard its number.
"""

from msgspec import Struct

POOL = 0
"""The pool's own number as a shard: who owns it changes what exists in the pool."""


class Keys(Struct, frozen=True):
    """The keys of one pool."""

    prefix: str

    def of_shard(self, shard: int, what: str) -> str:
        return f"{{qt/{self.prefix}/{shard}}}:{what}" if shard != POOL else f"{{qt/{self.prefix}}}:{what}"

    def meta(self, shard: int) -> str:
        """Hash: format, epoch, owner (its name) by (the generation by which it took the shard), tick, writer (epoch
        of the last tick), store, tail:<log>, seg:<log>:<base>, gap:<log>:<start>, out:<target> (records that left for
        that shard), number (of the next record, where an order is kept), dedup (<first>:<last> bucket).

        The pool's own has generation (one more with each change of its live brokers) and version (one more with each
        change of its entries).
        """
        return self.of_shard(shard, "meta")

    def segment(self, shard: int, log: int, base: int) -> str:
        """Stream: one entry a batch, id <last offset + 1>-0, field b."""
        return self.of_shard(shard, f"seg:{log}:{base}")

    def opened(self, shard: int, log: int, base: int) -> str:
        """A segment's name in the midst of a transaction that appends to it; see `plan.py`."""
        return self.of_shard(shard, f"open:{log}:{base}")

    def cursor(self, shard: int, cursor: int = 0) -> str:
        """Hash: one cursor's place; engine/cursor.py lists its fields."""
        return self.of_shard(shard, f"cur:{cursor}")

    def delayed(self, shard: int) -> str:
        """Sorted set: batches of one record, by the millisecond at which they are due."""
        return self.of_shard(shard, "delayed")

    def sequences(self, shard: int) -> str:
        """Hash: producer id → epoch:last sequence:first offset:milliseconds of its last append."""
        return self.of_shard(shard, "seq")

    def bucket(self, shard: int, bucket: int) -> str:
        """String: the deduplication ids of ten seconds; engine/deduplication.py has their layout."""
        return self.of_shard(shard, f"dedup:{bucket}")

    @property
    def pods(self) -> str:
        """Hash: name of a live broker → incarnation:milliseconds at which its lease ends:what others know of it."""
        return self.of_shard(POOL, "pods")

    @property
    def directory(self) -> str:
        """Hash: kind/name/uid/index → shard number; field `next` counts them."""
        return self.of_shard(POOL, "directory")

    @property
    def topology(self) -> str:
        """String: the last document applied, JSON."""
        return self.of_shard(POOL, "topology")

    @property
    def entries(self) -> str:
        """Hash: kind/name → JSON of what exists or left lately, declared or made at run time."""
        return self.of_shard(POOL, "entries")
