"""Asked: what was asked of a shard and is unanswered."""

import math
from typing import Any

from quintet_broker.engine.asked.arrivals import Arrivals, Waiting
from quintet_broker.engine.asked.receives import Receives
from quintet_broker.engine.asked.turns import Turns
from quintet_broker.engine.lanes.selection import SELECTORS
from quintet_broker.engine.requests import CloseConsumer, Peek, Receive, Request, Tail
from quintet_broker.errors import BrokerError, Overloaded

_LOOKS = Peek, Tail
"""What changes nothing, and waits for no tick."""


class Asked:
    """What the next tick takes, receives that wait until there is something, and who only looks."""

    def __init__(self, shared: Waiting) -> None:
        self.arrivals = Arrivals(shared)
        self.receives = Receives()
        self.turns = Turns(self.receives)
        self.looks = Arrivals(shared)

    def __bool__(self) -> bool:
        return bool(self.arrivals or self.receives or self.turns.some_wait or self.looks)

    def add(self, request: Request[Any]) -> None:
        """Raises Overloaded."""
        if isinstance(request, Receive):
            if request.selector is not None and len(self.turns.selectors - {request.selector}) >= SELECTORS:
                raise Overloaded(f"Receives with {SELECTORS} other selectors wait.")
            self.receives.add(request)
        elif isinstance(request, _LOOKS):
            self.looks.add(request)
        else:
            if isinstance(request, CloseConsumer):
                self.turns.close(request.consumer)
            self.arrivals.add(request)

    def put_back(self, request: Request[Any]) -> None:
        """One that a tick took in vain: it is the first again."""
        if isinstance(request, Receive):
            self.receives.put_back(request)
        else:
            self.arrivals.put_back(request)

    def end_waits(self, now: int) -> None:
        """Let no receive wait any longer."""
        self.receives.end(now)
        self.turns.end(now)

    def refuse(self, error: BrokerError, before: float = math.inf) -> None:
        """Refuse what should have been answered before that millisecond."""
        self.arrivals.refuse(error, before)
        self.receives.refuse(error, before)
        self.turns.refuse(error, before)
        self.looks.refuse(error, before)
