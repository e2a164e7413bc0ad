"""Policy: how a shard treats its records."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, structs

from quintet_broker.engine.records.headers import EXPIRES_AT, MOVED_AT
from quintet_broker.engine.records.record import Record


class Policy(Struct, frozen=True):
    """What is asked of one shard by its queue. Times in milliseconds."""

    name: str
    """Of the queue, for what it tells other shards."""
    retention: int
    in_flight: int
    """No more records than this are delivered and not settled."""
    messages: int | None = None
    """How many records there may be, delayed ones included, before `overflow` holds; so too `bytes`."""
    bytes: int | None = None
    ordered: bool = False
    """Whether it keeps the order of each message group: records of one key. It cannot change."""
    consumers: Literal["Shared", "SingleActive", "Exclusive"] = "Shared"
    """Whether many consumers are served at the same time, or one: then others wait for their turn, or are refused."""
    paused: bool = False
    max_receives: int = 0
    dead_letter: int | None = None
    """Number of the shard to which records go that were delivered `max_receives` times in vain."""
    expired_to: int | None = None
    """Number of the shard to which records go whose own expiry passed; without it they are dropped."""
    overflow: Literal["Reject", "DropOldest", "DeadLetter"] = "Reject"
    """What a client's append beyond `messages` or `bytes` does."""
    older: tuple[int, ...] = ()
    """Numbers of the queue's shards that came before this one, the oldest first. They cannot change."""

    def of_shard(self, numbers: Sequence[int], place: int) -> "Policy":
        """A queue's policy, for one of its shards: limits are divided among them."""
        if len(numbers) == 1:
            return self
        return structs.replace(
            self,
            older=tuple(numbers[:place]),
            in_flight=-(-self.in_flight // len(numbers)),
            messages=self.messages and -(-self.messages // len(numbers)),
            bytes=self.bytes and -(-self.bytes // len(numbers)),
        )

    def makes_room(self, leaving: int) -> bool:
        """Whether waiting records are taken away for new ones, while so many are on their way to other shards: no more
        than may be in flight, since each is remembered."""
        if self.overflow == "DeadLetter":
            return self.dead_letter is not None and leaving < self.in_flight
        return self.overflow == "DropOldest"

    def is_too_old(self, record: Record, now: int) -> bool:
        """Whether a record has been here for its whole retention."""
        if record.timestamp + self.retention > now:
            return False
        return int(record.header(MOVED_AT) or record.timestamp) + self.retention <= now

    def is_expired(self, record: Record, now: int) -> bool:
        """Whether a record is not to be delivered any more, for its age or by its own expiry."""
        expires_at = record.header(EXPIRES_AT)
        return (expires_at is not None and int(expires_at) <= now) or self.is_too_old(record, now)
