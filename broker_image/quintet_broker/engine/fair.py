"""Fair: which log a record goes to, so that no key waits behind many records of another. Pure.

A priority has up to LANES logs. A key stays in one as long as its records wait there; else its next record goes to one
in which few wait. So a key with a large backlog soon has a log of its own, and claims give each log its turn. Records
without a key are in the first.
"""

from collections.abc import Callable

LANES = 15
"""Of a priority. With more keys that have backlogs, several share one."""
PRIORITIES = 16
"""Log numbers are priority + 16 * lane."""
FEW = 16
"""Records: behind so many a record of another key may wait."""
KEYS = 10_000
"""Whose logs are remembered; behind so many, all are forgotten, and chosen anew."""


def priority_of(log: int) -> int:
    return log % PRIORITIES


def in_turn(log: int) -> tuple[int, int]:
    """By this, logs are sorted: those of the highest priority first."""
    return -priority_of(log), log


class Fair:
    """The logs of the keys that came lately."""

    def __init__(self) -> None:
        self._logs: dict[tuple[int, bytes], tuple[int, int]] = {}
        """By priority and key: log and offset of the last record."""

    def place(self, priority: int, key: bytes, tail: Callable[[int], int], waiting: Callable[[int], int]) -> int:
        """The log for a record; asked again for the same one, it answers the same.

        `tail` tells the offset that the next record of a log gets, `waiting` how many wait there.
        """
        known = self._logs.get((priority, key))
        if known:
            log, last = known
            if last >= tail(log) - waiting(log):
                self._logs[priority, key] = log, tail(log)
                return log
        log = priority
        fewest = waiting(log)
        for other in range(priority + PRIORITIES, PRIORITIES * LANES, PRIORITIES):
            if fewest <= FEW:
                break
            if (count := waiting(other)) < fewest:
                log, fewest = other, count
        if len(self._logs) >= KEYS:
            self._logs.clear()
        self._logs[priority, key] = log, tail(log)
        return log
