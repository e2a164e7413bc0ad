"""Policy: how a shard treats its records."""

from msgspec import Struct

from quintet_broker.engine.headers import MOVED_AT
from quintet_broker.engine.record import Record


class Policy(Struct, frozen=True):
    """What is asked of one shard by its queue. Times in milliseconds."""

    name: str
    """Of the queue, for what it tells other shards."""
    retention: int
    in_flight: int
    """No more records than this are delivered and not settled."""
    messages: int | None = None
    """A client's append beyond so many records, delayed ones included, is refused; so too `bytes`."""
    bytes: int | None = None
    ordered: bool = False
    """Whether it keeps the order of each message group: records of one key. It cannot change."""
    paused: bool = False
    max_receives: int = 0
    dead_letter: int | None = None
    """Number of the shard to which records go that were delivered `max_receives` times in vain."""

    def is_expired(self, record: Record, now: int) -> bool:
        """Whether a record has been here for its whole retention."""
        if record.timestamp + self.retention > now:
            return False
        return int(record.header(MOVED_AT) or record.timestamp) + self.retention <= now
