"""What is asked about records that were delivered, or that left; and to drop them all."""

from quintet_broker.engine.requests.request import Place, Receipt, Request
from quintet_broker.errors import BrokerError


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


class Left(Request[None]):
    """The leaving records at these places are stored where they went."""

    def __init__(self, at: int, places: list[Place]) -> None:
        super().__init__(at)
        self.places = places


class Stay(Request[None]):
    """The leaving records at these places cannot go: their target is gone."""

    def __init__(self, at: int, places: list[Place]) -> None:
        super().__init__(at)
        self.places = places


class Purge(Request[None]):
    """Drop every record, delayed ones too."""
