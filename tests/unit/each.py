"""Each record of what was delivered together, by itself."""

from collections.abc import Iterable

from msgspec import Struct

from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Delivery, Receipt


class One(Struct, frozen=True):
    """A record that was delivered."""

    log: int
    offset: int
    nonce: int
    record: Record
    deliveries: int
    first_received: int
    deadline: int

    @property
    def receipt(self) -> Receipt:
        return self.log, self.offset, self.nonce, 1


def each(delivered: Iterable[Delivery]) -> list[One]:
    return [
        One(one.log, offset, one.nonce, record, one.deliveries, one.first_received, one.deadline)
        for one in delivered
        for offset, record in enumerate(one.records, one.offset)
    ]
