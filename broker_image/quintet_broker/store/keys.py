"""Every key in Redis, on one page.

All keys of a shard share one hash tag, and so do all keys of the pool itself, so that a script never touches two
slots of a Redis Cluster. Names never enter keys: the pool's directory gives each shard its number.
"""

from msgspec import Struct


class Keys(Struct, frozen=True):
    """The keys of one pool."""

    prefix: str

    def of_shard(self, shard: int, what: str) -> str:
        return f"{{qt/{self.prefix}/{shard}}}:{what}"

    def meta(self, shard: int) -> str:
        """Hash: format, epoch, tick, writer (epoch of the last tick), store, tail:<log>,
        seg:<log>:<base>, gap:<log>:<start>, out:<target> (records that left for that shard)."""
        return self.of_shard(shard, "meta")

    def segment(self, shard: int, log: int, base: int) -> str:
        """Stream: one entry a batch, id <last offset + 1>-0, field b."""
        return self.of_shard(shard, f"seg:{log}:{base}")

    def cursor(self, shard: int, cursor: int = 0) -> str:
        """Hash: one cursor's place; engine/cursor.py lists its fields."""
        return self.of_shard(shard, f"cur:{cursor}")

    def delayed(self, shard: int) -> str:
        """Sorted set: batches of one record, by the millisecond at which they are due."""
        return self.of_shard(shard, "delayed")

    def sequences(self, shard: int) -> str:
        """Hash: producer id → epoch:last sequence:first offset:milliseconds of its last append."""
        return self.of_shard(shard, "seq")

    def of_pool(self, what: str) -> str:
        return f"{{qt/{self.prefix}}}:{what}"

    @property
    def directory(self) -> str:
        """Hash: kind/name/uid/index → shard number; field `next` counts them."""
        return self.of_pool("directory")

    @property
    def topology(self) -> str:
        """String: the last document applied, JSON."""
        return self.of_pool("topology")

    @property
    def entries(self) -> str:
        """Hash: kind/name → JSON of what exists or left lately, declared or made at run time."""
        return self.of_pool("entries")
