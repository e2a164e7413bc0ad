"""Run: records of consecutive offsets that are held together, decoded or sealed."""

from collections.abc import Sequence

from msgspec import Struct

from quintet_broker.engine.records.record import Record, decode_intact, read
from quintet_broker.engine.records.sealed import Sealed, is_intact, is_sealed

RECORD_BYTES = 350
"""What a decoded record takes beside its value, key and headers."""


class Run(Struct, frozen=True, gc=False):
    """Immutable: several readers may hold the same."""

    offset: int
    """Of the first."""
    count: int
    size: int
    """Bytes, about."""
    batch: Sealed | None = None
    """Of exactly these records; None where they are decoded."""
    decoded: Sequence[Record] = ()

    @classmethod
    def of(cls, offset: int, records: Sequence[Record]) -> "Run":
        size = len(records) * RECORD_BYTES + sum([record.size for record in records])
        return cls(offset, len(records), size, None, records)

    @classmethod
    def sealed(cls, offset: int, batch: Sealed) -> "Run":
        return cls(offset, batch.count, batch.size, batch)

    @property
    def end(self) -> int:
        return self.offset + self.count

    @property
    def records(self) -> Sequence[Record]:
        return self.decoded if self.batch is None else records_of(self.batch.data)

    def part(self, place: int, count: int) -> "Run":
        if count == self.count:
            return self
        if self.batch:
            return Run.sealed(self.offset + place, self.batch.part(place, count))
        size = self.size * count // self.count
        return Run(self.offset + place, count, size, None, self.decoded[place : place + count])

    def opened(self) -> "Run":
        """The same, decoded."""
        return Run.of(self.offset, self.records) if self.batch else self


def records_of(batch: bytes) -> list[Record]:
    """What is in a batch that is known to be intact."""
    return [record for _, record in read(batch)]


def runs(batch: bytes) -> list[Run]:
    """What is stored as a batch, which may lack offsets; none where it is damaged."""
    if is_sealed(batch) and is_intact(batch):
        sealed = Sealed(batch)
        return [Run.sealed(sealed.offset, sealed)]
    pairs = decode_intact(batch)
    if pairs and pairs[-1][0] - pairs[0][0] + 1 == len(pairs):
        return [Run.of(pairs[0][0], [record for _, record in pairs])]
    return [Run.of(offset, [record]) for offset, record in pairs]
