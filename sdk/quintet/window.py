"""Window: how many messages are held here or on their way at once, ahead of those who read them."""

import asyncio
from collections.abc import Callable

from quintet.receive import Receive

MOMENT = 0.05
"""Seconds: some ways to the broker and back."""
MOST = 1000
"""Messages."""


def in_a_moment(speed: float) -> int:
    """Messages, where so many are read in a second and nobody is to wait."""
    return min(MOST, int(MOMENT * speed))


Fitting = Callable[[float], int]
"""How many messages, where so many are read in a second."""


class Window:
    """Grows and shrinks with the speed at which messages were read since it was filled last."""

    def __init__(self, size: int) -> None:
        """`size`: messages, until some were read."""
        self.size = size
        self._read = 0
        self._filled_at = _now()

    def count(self, read: int) -> None:
        """So many messages were read."""
        self._read += read

    def pace(self, fitting: Fitting) -> None:
        """Have the size for the speed of late."""
        now = _now()
        if self._read:
            self.size = fitting(self._read / max(now - self._filled_at, 0.001))
        self._read, self._filled_at = 0, now

    def wants_more(self, receive: Receive) -> bool:
        """Whether half of it is read."""
        return not (receive.over or receive.cancelled) and receive.credit + len(receive.inbox) <= self.size // 2

    def fill(self, receive: Receive, fitting: Fitting) -> None:
        """Let more come, if it wants more."""
        if self.wants_more(receive):
            self.pace(fitting)
            missing = self.size - receive.credit - len(receive.inbox)
            if missing > 0:
                receive.grant(missing)


def _now() -> float:
    return asyncio.get_running_loop().time()
