"""What the engine hands to the store: one shard's fenced write, as bytes."""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct, field


class Outcome(Enum):
    """What became of a tick."""

    APPLIED = "every part of it is stored"
    FENCED = "nothing is stored: another owner, or a store that lost writes"
    FULL = "nothing is stored: the store's memory limit is reached"
    MOVING = "nothing is stored: a Redis Cluster moves the shard to another of its nodes"
    LOST = "unknown: the connection broke, or too few replicas have it"


class Append(Struct):
    """One batch for one segment."""

    log: int
    segment: int
    """Base offset of the segment."""
    next_offset: int
    """Offset behind the batch's last record; its entry's id."""
    data: bytes


class Source(Struct):
    """A producer whose appends must happen once: refused if `sequence` or a later one was stored."""

    producer: int
    epoch: int
    sequence: int
    """The first that this tick stores."""
    state: str
    """What `seq` keeps of the producer from now on."""


class Remember(Struct):
    """Entries behind those of a bucket, which is dropped when nobody added to it for so many milliseconds."""

    bucket: int
    entries: bytes
    keep: int


class Tick(Struct):
    """All that one shard writes at once. The store applies all of it, or nothing."""

    shard: int
    epoch: int
    """The writer's. A write under any other than the stored one is refused."""
    number: int
    """One more than that of the write before it."""
    tails: dict[int, int]
    """By log: the offset that the next record gets, as the writer knows it before this tick."""
    appends: list[Append] = field(default_factory=list)
    meta: dict[str, str | int | None] = field(default_factory=dict)
    """Fields to set, or with None to drop; so too `cursor`."""
    cursor: dict[str, bytes | int | None] = field(default_factory=dict)
    delay: list[tuple[int, bytes]] = field(default_factory=list)
    """(millisecond at which it is due, batch of one record)."""
    undelay: list[bytes] = field(default_factory=list)
    clear_delayed: bool = False
    sources: list[Source] = field(default_factory=list)
    drop_sources: list[int] = field(default_factory=list)
    unlink: list[tuple[int, int]] = field(default_factory=list)
    """(log, base) of segments."""
    renew: list[tuple[int, int]] = field(default_factory=list)
    """(log, base) of segments that are emptied before anything is appended: they hold what this tick appends."""
    forget: list[int] = field(default_factory=list)
    """Buckets of deduplication ids to drop, before any is added."""
    remember: Remember | None = None

    @property
    def grows(self) -> bool:
        """Whether the store holds more afterwards: what a segment is rewritten to is less than it held."""
        return bool(self.delay) or any((append.log, append.segment) not in self.renew for append in self.appends)

    @property
    def empty(self) -> bool:
        return not (
            self.appends
            or self.meta
            or self.cursor
            or self.delay
            or self.undelay
            or self.clear_delayed
            or self.sources
            or self.drop_sources
            or self.unlink
            or self.forget
            or self.remember
        )


class Taken(Struct):
    """A shard's stored state, as found by the owner that just took it."""

    epoch: int
    """The new owner's."""
    meta: dict[str, str]
    cursor: dict[str, bytes]
    sequences: dict[int, str]
    delayed: int
    delayed_next: int | None
    """Millisecond at which the first delayed record is due."""
    delayed_last: int = 0
    """Millisecond at which the last one is."""
    buckets: Sequence[int] = ()
    """Numbers of the buckets of deduplication ids that there may be, in order."""


class Pool(Struct):
    """What exists in a pool."""

    version: int
    """One more with each change."""
    entries: dict[str, bytes]
    """By kind/name."""
    document: bytes | None
    """The topology document that was stored last."""
