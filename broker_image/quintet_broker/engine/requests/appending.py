"""What is asked to have records stored, and while a queue's shards grow in number."""

from collections.abc import Sequence

from msgspec import Struct

from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import records_of
from quintet_broker.engine.records.sealed import Sealed
from quintet_broker.engine.requests.request import Request


class Sent(Struct, frozen=True, array_like=True):
    """What a send is confirmed with."""

    id: bytes
    """Of the message."""
    sequence: int | None
    """Grows with each record that its shard stores; None where an earlier try stored it, and it is not known."""


class Append(Request[list[Sent] | None]):
    """Store records, those with a time in `due` from then on. Answered where the shard keeps an order.

    `sequences` has one for each record, never falling; with a producer, a record is stored only if that had none as
    high before. A producer below 0 is a shard: minus its number. `deduplication` has a hash, or None, for each record:
    one whose hash came lately is not stored, and answered with what came first. `shards` is among how many of its queue
    this shard was chosen: it gives away what is not its own among so many, before anything is stored.

    In place of records there may be a `batch` that is sealed. Its records have one sequence, no times, and all of them
    hashes or none; who has to look at each of them opens it.
    """

    answer_type = list[Sent] | None

    def __init__(
        self,
        at: int,
        records: list[Record],
        due: list[int | None],
        producer: int | None = None,
        sequences: list[int] | None = None,
        deduplication: list[bytes | None] | None = None,
        shards: int = 1,
        batch: bytes | None = None,
    ) -> None:
        super().__init__(at)
        self.records = records
        self.due = due
        self.producer = producer
        self.sequences = sequences or [0] * len(records)
        self.deduplication = deduplication or [None] * len(records)
        self.shards = shards
        self.batch = batch
        self.sealed = Sealed(batch) if batch else None
        """The batch, with what is known of it here."""
        self.size = len(batch) if batch else sum([record.size for record in records])

    @classmethod
    def of_batch(
        cls, at: int, batch: Sealed, producer: int | None, sequence: int, deduplication: list[bytes | None]
    ) -> "Append":
        append = cls(at, [], [], producer, [sequence], deduplication)
        append.batch, append.sealed, append.size = batch.data, batch, batch.size
        return append

    @property
    def is_idempotent(self) -> bool:
        return self.producer is not None

    def open(self) -> None:
        """Have the records of a batch one by one."""
        if self.batch is None:
            return
        self.records = records_of(self.batch)
        self.batch = self.sealed = None
        self.due = [None] * len(self.records)
        self.sequences = self.sequences * len(self.records)
        self.deduplication = self.deduplication or [None] * len(self.records)

    def part(self, places: Sequence[int], shards: int) -> "Append":
        """The records at these places, for one of so many shards."""
        return Append(
            self.at,
            [self.records[place] for place in places],
            [self.due[place] for place in places],
            self.producer,
            [self.sequences[place] for place in places],
            [self.deduplication[place] for place in places],
            shards,
        )

    @property
    def is_moved(self) -> bool:
        """Whether the records come from another shard."""
        return self.producer is not None and self.producer < 0


class Split(Request[int]):
    """Take no more of what is another's among `count` shards. Answered with the next record's number, once stored."""

    answer_type = int

    def __init__(self, at: int, count: int) -> None:
        super().__init__(at)
        self.count = count


class Settled(Request[bool]):
    """Tell whether all is settled that was sent before the split for `count` shards."""

    answer_type = bool

    def __init__(self, at: int, count: int) -> None:
        super().__init__(at)
        self.count = count


class Recall(Request[list[Sent | None]]):
    """Tell which records of an append are stored here, and what with: of those that only their producer tells, an empty
    id. `counts` has for each the number of shards with which its key went elsewhere: from now on it does.
    """

    answer_type = list[Sent | None]

    def __init__(
        self,
        at: int,
        producer: int | None,
        sequences: list[int],
        deduplication: list[bytes | None],
        counts: list[int],
    ) -> None:
        super().__init__(at)
        self.producer = producer
        self.sequences = sequences
        self.deduplication = deduplication
        self.counts = counts
