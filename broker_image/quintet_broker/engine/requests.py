"""What is asked of a shard: each request holds the future that answers it, and outlives a change of owner.

A request travels to the shard's owner by the parameters of its class: each is kept as an attribute of that name.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from msgspec import Struct, structs

from quintet_broker.engine.deduplication import Sent
from quintet_broker.engine.record import Record
from quintet_broker.engine.run import Run, records_of
from quintet_broker.engine.sealed import Sealed
from quintet_broker.errors import BrokerError

Answer = TypeVar("Answer")
Place = tuple[int, int]
"""(log, offset) of a record."""
Receipt = tuple[int, int, int, int]
"""(log, offset, nonce, count) of records that were delivered together: the first offset, and how many they are."""


class Request(Generic[Answer]):
    """Asked, and not yet answered."""

    size = 0
    """Bytes that it keeps in memory."""
    settles = 0
    """Records that it is about, one by one at worst."""
    answer_type: ClassVar[Any] = None

    def __init__(self, at: int) -> None:
        self.at = at
        """Milliseconds since 1970."""
        self.future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def again(self) -> Self:
        """The same, not asked yet."""
        request = copy.copy(self)
        request.future = asyncio.get_running_loop().create_future()
        return request

    @property
    def owed_at(self) -> int:
        """Millisecond from which it should have an answer."""
        return self.at

    @property
    def is_idempotent(self) -> bool:
        """Whether it may be asked again though nobody knows whether it was done."""
        return True

    def answer(self, answer: Answer) -> None:
        if not self.future.done():
            self.future.set_result(answer)

    def refuse(self, error: BrokerError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


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


class Acknowledge(Request[list[BrokerError | None]]):
    """Settle deliveries for good."""

    answer_type = list[BrokerError | None]

    def __init__(self, at: int, receipts: list[Receipt]) -> None:
        super().__init__(at)
        self.receipts = receipts
        self.settles = sum([receipt[3] for receipt in receipts])


class Extend(Request[list[BrokerError | None]]):
    """Hide (receipt, milliseconds from now) each; 0 releases."""

    answer_type = list[BrokerError | None]

    def __init__(self, at: int, receipts: list[tuple[Receipt, int]]) -> None:
        super().__init__(at)
        self.receipts = receipts
        self.settles = sum([receipt[3] for receipt, _ in receipts])


class GiveBack(Request[None]):
    """Undo deliveries, which no consumer saw; those settled since stay as they are."""

    def __init__(self, at: int, receipts: list[Receipt]) -> None:
        super().__init__(at)
        self.receipts = receipts
        self.settles = sum([receipt[3] for receipt in receipts])


class Counts(Struct, frozen=True, array_like=True):
    """How many records a shard holds, by what they wait for."""

    visible: int
    in_flight: int
    delayed: int


def sum_of(some: Iterable[Counts]) -> Counts:
    """What shards hold together."""
    visible, in_flight, delayed = zip((0, 0, 0), *map(structs.astuple, some), strict=True)
    return Counts(sum(visible), sum(in_flight), sum(delayed))


class Count(Request[Counts]):
    """Tell how many records there are."""

    answer_type = Counts


class Progress(Struct, frozen=True, array_like=True):
    """How far a redrive has come."""

    running: bool = False
    moved: int = 0
    left: int = 0
    """How many records are still to be looked at."""
    rate: float | None = None
    started_at: int | None = None
    """Milliseconds since 1970; None where there was none yet."""
    asked: int = 0
    """How many records were to be looked at."""
    target: int | None = None
    """Number of the shard to which all records go."""
    stopped: bool = False
    """Whether it was ended before its time."""


class StartRedrive(Request[Progress]):
    """Bring up to `limit` records, of those that are visible now, to where they came from, or all to one shard."""

    answer_type = Progress

    def __init__(self, at: int, target: int | None, rate: float | None, limit: int | None) -> None:
        super().__init__(at)
        self.target = target
        self.rate = rate
        """Records a second."""
        self.limit = limit


class StopRedrive(Request[Progress]):
    """Let no more records go."""

    answer_type = Progress


class TellRedrives(Request[list[Progress]]):
    """Tell how far the last ones have come, the newest first."""

    answer_type = list[Progress]


class Seen(Struct, frozen=True, gc=False, array_like=True):
    """A record that was looked at and not claimed."""

    record: Record
    deliveries: int
    first_received: int
    """Milliseconds since 1970; 0 where it was never delivered."""
    is_in_flight: bool


class Peeked(Struct, frozen=True, array_like=True):
    seen: list[Seen]
    next: Place | None
    """Where to go on."""


class Peek(Request[Peeked]):
    """Look at up to `limit` records from `place` on, or from the beginning."""

    answer_type = Peeked

    def __init__(self, at: int, limit: int, place: Place | None) -> None:
        super().__init__(at)
        self.limit = limit
        self.place = place


class Tailed(Struct, frozen=True, array_like=True):
    records: list[Record]
    """Ordered by their time."""
    places: dict[int, int]
    """By log, the offset from which to go on."""
    missed: int
    """How many were settled and taken away before they were looked at, about."""


class Tail(Request[Tailed]):
    """Look at up to `limit` records that came behind `places`, settled ones too.

    Without `places`: at those that came `since` (milliseconds since 1970), or with 0 only at where the end is.
    """

    answer_type = Tailed

    def __init__(self, at: int, limit: int, places: dict[int, int] | None, since: int) -> None:
        super().__init__(at)
        self.limit = limit
        self.places = places
        self.since = since


class Purge(Request[None]):
    """Drop every record, delayed ones too."""


class Left(Request[None]):
    """The leaving records at these places are stored where they went."""

    def __init__(self, at: int, places: list[Place]) -> None:
        super().__init__(at)
        self.places = places


class Delivery(Struct, frozen=True, gc=False, array_like=True):
    """Records of consecutive offsets that were claimed together for one consumer."""

    log: int
    offset: int
    """Of the first."""
    nonce: int
    count: int
    deliveries: int
    """How often they were delivered."""
    first_received: int
    """Milliseconds since 1970."""
    deadline: int
    """Milliseconds since 1970: from then on others get them."""
    decoded: Sequence[Record] = ()
    batch: bytes | None = None
    """In place of what is decoded: these records, sealed."""

    @property
    def records(self) -> Sequence[Record]:
        return self.decoded if self.batch is None else records_of(self.batch)

    @property
    def receipt(self) -> Receipt:
        return self.log, self.offset, self.nonce, self.count

    def part(self, place: int, count: int) -> "Delivery":
        """Of `count` records, from that place on."""
        run = Run(self.offset, self.count, 0, Sealed(self.batch) if self.batch else None, self.decoded)
        some = run.part(place, count)
        return structs.replace(
            self,
            offset=some.offset,
            count=count,
            decoded=some.decoded,
            batch=some.batch.data if some.batch else None,
        )


class Receive(Request[list[Delivery]]):
    """Deliver up to `limit` records, waiting for the first until `until` (milliseconds since 1970)."""

    answer_type = list[Delivery]

    def __init__(
        self,
        at: int,
        limit: int,
        visibility: int,
        until: int,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> None:
        super().__init__(at)
        self.limit = limit
        self.visibility = visibility
        """Milliseconds."""
        self.until = until
        self.selector = selector
        """An expression: only records for which it is true are delivered."""
        self.consumer = consumer
        """Who asks; needed where one consumer is served at a time."""
        self.unheard: Callable[[list[Delivery]], None] | None = None
        """Takes what is delivered though nobody waits for it any more."""

    def answer(self, answer: list[Delivery]) -> None:
        if self.future.done() and self.unheard:
            self.unheard(answer)
        else:
            super().answer(answer)

    @property
    def owed_at(self) -> int:
        return max(self.until, self.at)


class CloseConsumer(Request[None]):
    """A consumer asks for nothing more: its receives end, and another may become active."""

    def __init__(self, at: int, consumer: str) -> None:
        super().__init__(at)
        self.consumer = consumer


class TellConsumer(Request[str | None]):
    """Tell which consumer is active."""

    answer_type = str | None


class Stay(Request[None]):
    """The leaving records at these places cannot go: their target is gone."""

    def __init__(self, at: int, places: list[Place]) -> None:
        super().__init__(at)
        self.places = places
