"""How long to wait before what failed is tried again."""

import random
from collections.abc import Iterator

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds."""


def pauses() -> Iterator[float]:
    """Seconds to wait before each next attempt, longer and longer; spread, so that clients do not come together."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(2 * pause, LONGEST_PAUSE)
