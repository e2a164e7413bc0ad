"""What consumers ask to be given records."""

from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import Run, records_of
from quintet_broker.engine.records.sealed import Sealed
from quintet_broker.engine.requests.request import Receipt, Request


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
