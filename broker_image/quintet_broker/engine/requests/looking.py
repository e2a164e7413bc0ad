"""What is asked of records without claiming them."""

from collections.abc import Iterable

from msgspec import Struct, structs

from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests.request import Place, Request


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
