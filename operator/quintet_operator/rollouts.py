"""Pools are restarted one at a time: a change that breaks them, such as a bad image of the chart, breaks one."""

import time
from collections.abc import Callable

from quintet_operator.index import Key

STUCK = 300.0
"""Seconds, after which the next pool goes on though the one before is not back."""


class Rollouts:
    """Who may replace pods that serve. New pools replace none, and need not ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pool: Key | None = None
        self._until = 0.0

    def may_begin(self, pool: Key) -> bool:
        """Whether that pool may; then others wait until it `ended`."""
        if self._pool not in (None, pool) and self._clock() < self._until:
            return False
        if self._pool != pool:
            self._pool, self._until = pool, self._clock() + STUCK
        return True

    def ended(self, pool: Key) -> None:
        """The pool serves again, or is gone."""
        if self._pool == pool:
            self._pool = None
