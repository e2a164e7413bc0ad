"""Receives: those that wait for the records of a shard, in order. Pure; `now` is an argument."""

import math
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain

from quintet_broker.engine.asked.schedule import Schedule
from quintet_broker.engine.requests import Receive
from quintet_broker.errors import BrokerError

Line = OrderedDict[Receive, None]


class Receives:
    """A line for each selector, and one for those without: first come, first served. Each leaves its line once it is
    served, or at its `until`."""

    def __init__(self) -> None:
        self._lines: dict[str | None, Line] = {}
        """By selector; none is empty."""
        self._ends: Schedule[Receive] = Schedule()

    def __iter__(self) -> Iterator[Receive]:
        return chain.from_iterable(self._lines.values())

    @property
    def some(self) -> bool:
        """Whether there are any, if their clients still wait or not."""
        return bool(self._lines)

    @property
    def selectors(self) -> list[str]:
        """Those of receives that wait."""
        return [selector for selector in self._lines if selector is not None]

    def add(self, receive: Receive) -> None:
        self._lines.setdefault(receive.selector, OrderedDict())[receive] = None
        self._ends.set(receive, receive.until)

    def put_back(self, receive: Receive) -> None:
        """One that was served, but will not get what it was served: it is the first again."""
        self.add(receive)
        self._lines[receive.selector].move_to_end(receive, last=False)

    def remove(self, receive: Receive) -> None:
        self._leave(receive)
        self._ends.drop(receive)

    def _leave(self, receive: Receive) -> None:
        line = self._lines[receive.selector]
        del line[receive]
        if not line:
            del self._lines[receive.selector]

    def first(self, selector: str | None = None) -> Receive | None:
        """The first in the line of a selector whose client still waits; those before it are let go."""
        while line := self._lines.get(selector):
            receive = next(iter(line))
            if not receive.future.done():
                return receive
            self.remove(receive)
        return None

    def firsts(self) -> list[Receive]:
        """The first of each line, the one that came first before all others."""
        found = [first for selector in list(self._lines) if (first := self.first(selector))]
        return sorted(found, key=lambda receive: receive.at) if len(found) > 1 else found

    def __bool__(self) -> bool:
        """Whether any client waits."""
        return any(self.first(selector) for selector in list(self._lines))

    def next_end(self) -> int | None:
        """Millisecond at which the next one has waited long enough."""
        return self._ends.next()

    def end(self, now: int) -> None:
        """Let none wait longer."""
        for receive in self:
            receive.until = now
            self._ends.set(receive, now)

    def take_ended(self, now: int) -> list[Receive]:
        """Take out those that have waited long enough."""
        ended = self._ends.take(now)
        for receive in ended:
            self._leave(receive)
        return ended

    def refuse(self, error: BrokerError, before: float = math.inf) -> None:
        """Refuse those that should have been answered before that millisecond; let go whose client is gone."""
        for receive in list(self):
            if receive.owed_at < before:
                receive.refuse(error)
            if receive.future.done():
                self.remove(receive)
