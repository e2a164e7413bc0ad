"""Turns: where a shard serves one consumer at a time, the receives of the others stand aside. Pure."""

import math

from quintet_broker.engine.asked.receives import Receives
from quintet_broker.engine.state.consumers import Consumers, Seen
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import BrokerError


class Turns:
    """The line of receives to serve, and those that wait until it is their consumer's turn."""

    def __init__(self, line: Receives) -> None:
        self._line = line
        self._aside = Receives()

    @property
    def some_wait(self) -> bool:
        return bool(self._aside)

    @property
    def selectors(self) -> set[str]:
        """Those of all receives that wait."""
        return {*self._line.selectors, *self._aside.selectors}

    def take(self, consumers: Consumers, policy: Policy, now: int, in_flight: bool) -> None:
        """See whose turn it is; refuse those that need not wait for theirs."""
        if policy.consumers == "Shared":
            consumers.forget()
            return
        self._sort(consumers, policy)
        turn = consumers.turn
        next_one = next(iter(self._aside.firsts()), None)
        consumers.look(now, Seen(bool(self._line), in_flight, next_one.consumer if next_one else None))
        if consumers.turn != turn:
            self.recall()
            self._sort(consumers, policy)
        self._time_out(now)

    def recall(self) -> None:
        """Let all stand in line, as they came: whose turn it is, is to be seen anew."""
        for receive in reversed(list(self._aside)):
            self._aside.remove(receive)
            self._line.put_back(receive)

    def _sort(self, consumers: Consumers, policy: Policy) -> None:
        for receive in list(self._line):
            if refusal := consumers.refusal(receive.consumer, policy):
                self._line.remove(receive)
                receive.refuse(refusal)
            elif receive.consumer != consumers.turn:
                self._line.remove(receive)
                self._aside.add(receive)

    def _time_out(self, now: int) -> None:
        for receive in self._aside.take_ended(now):
            receive.answer([])

    def close(self, consumer: str) -> None:
        """A consumer asks for nothing more: its receives end."""
        for receive in [*self._line, *self._aside]:
            if receive.consumer == consumer:
                receive.answer([])

    def next_end(self) -> int | None:
        """Millisecond at which the next one that stands aside has waited long enough."""
        return self._aside.next_end()

    def end(self, now: int) -> None:
        """Let none that stands aside wait longer."""
        self._aside.end(now)

    def refuse(self, error: BrokerError, before: float = math.inf) -> None:
        """Refuse those aside that should have been answered before that millisecond."""
        self._aside.refuse(error, before)
