"""How long many things took, counted in steps so that a million of them cost nothing to keep."""

import math
from collections import Counter

STEP = math.log(1.02)
"""Two neighbours differ by 2 %."""
LEAST = 1e-5
"""Seconds; what took less counts as that."""


class Latencies:
    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self._steps[math.ceil(math.log(max(seconds, LEAST) / LEAST) / STEP)] += 1

    def merge(self, other: "Latencies") -> None:
        self._steps.update(other._steps)

    def __len__(self) -> int:
        return self._steps.total()

    def within(self, share: float) -> float:
        """Seconds within which that share of them was done, 2 % more at most; 0 where there are none."""
        wanted, seen = share * len(self), 0
        for step, count in sorted(self._steps.items()):
            seen += count
            if seen >= wanted:
                return LEAST * math.exp(step * STEP)
        return 0.0

    def row(self) -> str:
        """In ms, as cells of a table: the median, 99 %, all."""
        return " | ".join(f"{1000 * self.within(share):,.1f}" for share in (0.5, 0.99, 1))
