"""Work: one tick under way."""

import math
from typing import Any

from msgspec import Struct, field

from quintet_broker.engine.requests import Request
from quintet_broker.errors import BrokerError
from quintet_broker.store.tick import Tick


class Totals(Struct):
    """Records since this process took the shard."""

    sent: int = 0
    received: int = 0
    acknowledged: int = 0
    dead_lettered: int = 0
    expired: int = 0
    dropped: int = 0

    def add(self, more: "Totals") -> None:
        self.sent += more.sent
        self.received += more.received
        self.acknowledged += more.acknowledged
        self.dead_lettered += more.dead_lettered
        self.expired += more.expired
        self.dropped += more.dropped


class Work(Struct):
    """What a tick writes, and what may be answered and counted once it is stored."""

    tick: Tick
    answers: list[tuple[Request[Any], Any]] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)

    def refuse(self, error: BrokerError, before: float = math.inf) -> None:
        """Refuse what should have been answered before that millisecond. The write goes on without it."""
        for request, _ in self.answers:
            if request.owed_at < before:
                request.refuse(error)
