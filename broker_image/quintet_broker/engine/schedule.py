"""Schedule: what is due when. Pure; `now` is an argument."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_SLACK = 16


class Schedule(Generic[Key]):
    """A time for each key, earliest first. Times in any unit, the same for all."""

    def __init__(self) -> None:
        self._time_of: dict[Key, int] = {}
        self._heap: list[tuple[int, int, Key]] = []
        """Each key at its time, and at times that it had before: those are passed over."""

    def __len__(self) -> int:
        """How many entries it keeps: never more than twice its keys, and a few."""
        return len(self._heap)

    def set(self, key: Key, time: int) -> None:
        """Give a key its time, in place of the one that it had."""
        if self._time_of.get(key) == time:
            return
        self._time_of[key] = time
        heapq.heappush(self._heap, (time, id(key), key))
        if len(self._heap) > 2 * len(self._time_of) + _SLACK:
            self._heap = [(time, id(key), key) for key, time in self._time_of.items()]
            heapq.heapify(self._heap)

    def drop(self, key: Key) -> None:
        """Forget a key, if it is there."""
        self._time_of.pop(key, None)

    def next(self) -> int | None:
        """The earliest time."""
        while self._heap and self._time_of.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> list[Key]:
        """Take out the keys whose time has come, earliest first."""
        taken = []
        while (time := self.next()) is not None and time <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._time_of[key]
            taken.append(key)
        return taken
