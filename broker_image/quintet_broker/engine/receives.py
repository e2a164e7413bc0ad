"""Receives: those that wait for the records of a shard, in order. Pure; `now` is an argument."""

import math
from collections import OrderedDict

from quintet_broker.engine.requests import Receive
from quintet_broker.engine.schedule import Schedule
from quintet_broker.errors import BrokerError


class Receives:
    """A line: first come, first served; each leaves it once it is served, or at its `until`."""

    def __init__(self) -> None:
        self._line: OrderedDict[Receive, None] = OrderedDict()
        self._ends: Schedule[Receive] = Schedule()

    def add(self, receive: Receive) -> None:
        self._line[receive] = None
        self._ends.set(receive, receive.until)

    def put_back(self, receive: Receive) -> None:
        """One that was served, but will not get what it was served: it is the first again."""
        self.add(receive)
        self._line.move_to_end(receive, last=False)

    def remove(self, receive: Receive) -> None:
        del self._line[receive]
        self._ends.drop(receive)

    def first(self) -> Receive | None:
        """The first whose client still waits; those before it are let go."""
        while self._line:
            receive = next(iter(self._line))
            if not receive.future.done():
                return receive
            self.remove(receive)
        return None

    def next_end(self) -> int | None:
        """Millisecond at which the next one has waited long enough."""
        return self._ends.next()

    def end(self, now: int) -> None:
        """Let none wait longer."""
        for receive in self._line:
            receive.until = now
            self._ends.set(receive, now)

    def take_ended(self, now: int) -> list[Receive]:
        """Take out those that have waited long enough."""
        ended = self._ends.take(now)
        for receive in ended:
            del self._line[receive]
        return ended

    def refuse(self, error: BrokerError, before: float = math.inf) -> None:
        """Refuse those that should have been answered before that millisecond; let go whose client is gone."""
        for receive in list(self._line):
            if receive.owed_at < before:
                receive.refuse(error)
            if receive.future.done():
                self.remove(receive)
