"""Schedule: what is due when. Pure; `now` is an argument."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_SLACK = 16


class Schedule(Generic[Key]):
    """A time for each key, earliest first. Times in any unit, the same for all."""

    def __init__(self) -> None:
        self._entries: dict[Key, tuple[int, int]] = {}
        """Of each key its time, and the number under which that stands in the heap."""
        self._keys: dict[int, Key] = {}
        """By those numbers."""
        self._heap: list[tuple[int, int]] = []
        """All of these entries, and some of before, which are passed over: their keys are not kept by it."""
        self._number = 0

    def __len__(self) -> int:
        """How many entries it keeps: never more than twice its keys, and a few."""
        return len(self._heap)

    def set(self, key: Key, time: int) -> None:
        """Give a key its time, in place of the one that it had."""
        if known := self._entries.get(key):
            if known[0] == time:
                return
            del self._keys[known[1]]
        self._number += 1
        self._keys[self._number] = key
        entry = self._entries[key] = time, self._number
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._heap = list(self._entries.values())
            heapq.heapify(self._heap)

    def drop(self, key: Key) -> None:
        """Forget a key, if it is there."""
        if known := self._entries.pop(key, None):
            del self._keys[known[1]]

    def next(self) -> int | None:
        """The earliest time."""
        while self._heap and self._heap[0][1] not in self._keys:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> list[Key]:
        """Take out the keys whose time has come, earliest first."""
        taken = []
        while (time := self.next()) is not None and time <= now:
            _, number = heapq.heappop(self._heap)
            key = self._keys.pop(number)
            del self._entries[key]
            taken.append(key)
        return taken
