"""A store as a dict, with the fence that Redis's script has, and a wrapper that makes any store fail on demand."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from quintet_broker.errors import NotOwner
from quintet_broker.store.redis import TAIL_JUMP
from quintet_broker.store.tick import Outcome, Taken, Tick


class Inner(Protocol):
    """The verbs of a store that a shard needs."""

    async def take(self, shard: int, owner: str = "", generation: int = 0) -> Taken: ...
    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]: ...
    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]: ...
    async def bucket_sizes(self, shard: int, buckets: Sequence[int]) -> list[int]: ...
    async def bucket(self, shard: int, bucket: int) -> bytes: ...
    async def due(self, shard: int, until: int, count: int) -> list[bytes]: ...
    async def next_due(self, shard: int) -> int | None: ...


class Stored:
    """What is kept of one shard."""

    def __init__(self) -> None:
        self.meta: dict[str, str] = {"epoch": "0", "tick": "0", "tail:0": "0"}
        self.cursor: dict[str, bytes] = {}
        self.sequences: dict[int, str] = {}
        self.delayed: dict[bytes, int] = {}
        self.buckets: dict[int, bytes] = {}
        self.segments: dict[tuple[int, int], list[tuple[int, bytes]]] = {}


class FakeStore:
    """Shards in memory. `fenced` False takes the fence away, to see that tests notice."""

    def __init__(self, fenced: bool = True) -> None:
        self.shards: dict[int, Stored] = {}
        self.fenced = fenced
        self.id = "first"

    def _of(self, shard: int) -> Stored:
        return self.shards.setdefault(shard, Stored())

    async def take(self, shard: int, owner: str = "", generation: int = 0) -> Taken:
        kept = self._of(shard)
        meta = kept.meta
        if int(meta.get("by", 0)) > generation:
            raise NotOwner(generation=int(meta["by"]))
        meta["by"] = str(generation)
        meta["epoch"] = str(int(meta["epoch"]) + 1)
        if meta.setdefault("store", self.id) != self.id:
            meta["store"] = self.id
            for tail in [field for field in meta if field.startswith("tail:")]:
                meta[f"gap:{tail[5:]}:{meta[tail]}"] = meta[tail] = str(int(meta[tail]) + TAIL_JUMP)
        return Taken(
            epoch=int(meta["epoch"]),
            meta=dict(meta),
            cursor=dict(kept.cursor),
            sequences=dict(kept.sequences),
            delayed=len(kept.delayed),
            delayed_next=min(kept.delayed.values(), default=None),
            delayed_last=max(kept.delayed.values(), default=0),
            buckets=sorted(kept.buckets),
        )

    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]:
        return [self._apply(tick) for tick in ticks]

    def _apply(self, tick: Tick) -> Outcome:
        kept = self._of(tick.shard)
        if self.fenced and not self._expected(kept, tick):
            return Outcome.FENCED
        for place in tick.renew:
            kept.segments.pop(place, None)
        for append in tick.appends:
            segment = kept.segments.setdefault((append.log, append.segment), [])
            segment.append((append.next_offset, append.data))
        for bucket in tick.forget:
            kept.buckets.pop(bucket, None)
        if tick.remember:
            kept.buckets[tick.remember.bucket] = kept.buckets.get(tick.remember.bucket, b"") + tick.remember.entries
        for source in tick.sources:
            kept.sequences[source.producer] = source.state
        for name, value in tick.meta.items():
            kept.meta.pop(name, None)
            if value is not None:
                kept.meta[name] = str(value)
        for name, state in tick.cursor.items():
            kept.cursor.pop(name, None)
            if state is not None:
                kept.cursor[name] = state if isinstance(state, bytes) else str(state).encode()
        if tick.clear_delayed:
            kept.delayed.clear()
        kept.delayed |= {batch: due for due, batch in tick.delay}
        for batch in tick.undelay:
            kept.delayed.pop(batch, None)
        for producer in tick.drop_sources:
            kept.sequences.pop(producer, None)
        for place in tick.unlink:
            kept.segments.pop(place, None)
        kept.meta |= {"tick": str(tick.number), "writer": str(tick.epoch)}
        return Outcome.APPLIED

    def _expected(self, kept: Stored, tick: Tick) -> bool:
        return (
            int(kept.meta["epoch"]) == tick.epoch
            and int(kept.meta["tick"]) == tick.number - 1
            and all(int(kept.meta[f"tail:{log}"]) == tail for log, tail in tick.tails.items())
        )

    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]:
        entries = self._of(shard).segments.get((log, segment), [])
        return [entry for entry in entries if entry[0] > offset][:count]

    async def bucket_sizes(self, shard: int, buckets: Sequence[int]) -> list[int]:
        return [len(await self.bucket(shard, bucket)) for bucket in buckets]

    async def bucket(self, shard: int, bucket: int) -> bytes:
        return self._of(shard).buckets.get(bucket, b"")

    async def due(self, shard: int, until: int, count: int) -> list[bytes]:
        waiting = sorted(self._of(shard).delayed.items(), key=lambda pair: (pair[1], pair[0]))
        return [batch for batch, due in waiting if due <= until][:count]

    async def next_due(self, shard: int) -> int | None:
        return min(self._of(shard).delayed.values(), default=None)


class FaultyStore:
    """Another store, with a clock set by hand, whose next write can be lost before or after it is applied."""

    def __init__(self, inner: Inner) -> None:
        self.inner = inner
        self.time = 1_800_000_000_000
        self.full = False
        self.lose_next: str | None = None
        """None, "before" or "after"."""
        self.reads = 0
        """How often batches were read."""
        self.answers_reads = asyncio.Event()
        self.answers_reads.set()

    def now(self) -> int:
        return self.time

    async def take(self, shard: int, owner: str = "", generation: int = 0) -> Taken:
        return await self.inner.take(shard, owner, generation)

    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]:
        fault, self.lose_next = self.lose_next, None
        if fault == "before":
            return [Outcome.LOST] * len(ticks)
        outcomes = await self.inner.write(ticks)
        return [Outcome.LOST] * len(ticks) if fault == "after" else outcomes

    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]:
        self.reads += 1
        await self.answers_reads.wait()
        return await self.inner.read(shard, log, segment, offset, count)

    async def bucket_sizes(self, shard: int, buckets: Sequence[int]) -> list[int]:
        return await self.inner.bucket_sizes(shard, buckets)

    async def bucket(self, shard: int, bucket: int) -> bytes:
        return await self.inner.bucket(shard, bucket)

    async def due(self, shard: int, until: int, count: int) -> list[bytes]:
        return await self.inner.due(shard, until, count)

    async def next_due(self, shard: int) -> int | None:
        return await self.inner.next_due(shard)
