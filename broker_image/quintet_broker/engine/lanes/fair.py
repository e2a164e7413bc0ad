"""Fair: which log a record goes to, so that no key waits behind many records of another. Pure.

A priority has up to LANES logs. A key stays in one as long as its records wait there and few of others came behind
them; else its next record goes to one in which few wait. So a key with a large backlog soon has a log of its own, and
claims give each log its turn. Records without a key are in the first.
"""

from collections.abc import Callable

LANES = 15
"""Of a priority. With more keys that have backlogs, several share one."""
PRIORITIES = 16
"""Log numbers are priority + 16 * lane."""
FEW = 16
"""Records: behind about so many of others a record may wait."""
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
        self._next: dict[int, tuple[int, int]] = {}
        """By priority: the log for other keys, and from which offset on it is chosen anew."""

    def place(self, priority: int, key: bytes, tail: Callable[[int], int], waiting: Callable[[int], int]) -> int:
        """The log for a record; asked again for the same one, it answers the same.

        `tail` tells the offset that the next record of a log gets, `waiting` how many wait there.
        """
        log, last = self._logs.get((priority, key), (priority, -FEW))
        offset = tail(log)
        if offset - last > min(FEW, waiting(log)):
            log = self._choose(priority, tail, waiting)
            offset = tail(log)
        if len(self._logs) >= KEYS:
            self._logs.clear()
        self._logs[priority, key] = log, offset
        return log

    def _choose(self, priority: int, tail: Callable[[int], int], waiting: Callable[[int], int]) -> int:
        """The first log in which few wait, or the one with the fewest; for some records the same."""
        log, end = self._next.get(priority, (priority, 0))
        if tail(log) >= end or waiting(priority) <= FEW:
            logs = range(priority, PRIORITIES * LANES, PRIORITIES)
            log = next((log for log in logs if waiting(log) <= FEW), -1)
            log = min(logs, key=waiting) if log < 0 else log
            self._next[priority] = log, tail(log) + FEW
        return log
