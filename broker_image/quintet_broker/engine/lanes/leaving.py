"""Leaving: the records of a log that are on their way to other shards. Pure."""

import struct
from collections.abc import Iterator

from msgspec import Struct, structs

from quintet_broker.engine.records.reason import Reason

LEFT_REMEMBERED = 10_000
"""Records; an acknowledgement that comes later than so many others left is taken for a second one."""
_LEAVING = struct.Struct("<IQIQB")


class Leaving(Struct, gc=False):
    """A record on its way to another shard: acknowledged here once it is stored there."""

    offset: int
    target: int
    sequence: int
    deliveries: int
    first_received: int
    """0 where it never was."""
    reason: Reason


class Leavings:
    """Those of one log, by offset, and which left lately: these are acknowledged here and live on elsewhere."""

    def __init__(self) -> None:
        self._leaving: dict[int, Leaving] = {}
        self._for: dict[int, dict[int, Leaving]] = {}
        """By target, then by offset in the order of their sequences."""
        self._left: dict[int, None] = {}
        """Offsets, oldest first."""
        self.changed: set[tuple[str, int]] = set()
        """Kinds and offsets of stored fields; for who stores them, to be cleared."""

    def __len__(self) -> int:
        return len(self._leaving)

    def __contains__(self, offset: int) -> bool:
        return offset in self._leaving

    def __iter__(self) -> Iterator[int]:
        return iter(self._leaving)

    @property
    def targets(self) -> set[int]:
        """Where records are leaving for."""
        return set(self._for)

    def bound_for(self, target: int) -> Iterator[Leaving]:
        """Those that go to one shard, in the order of their sequences."""
        return iter(self._for.get(target, {}).values())

    def has_left(self, offset: int) -> bool:
        """Whether that record left, and not too long ago."""
        return offset in self._left

    def add(self, leaving: Leaving) -> None:
        self._add(leaving)
        self.changed.add(("leave", leaving.offset))

    def _add(self, leaving: Leaving) -> None:
        self._leaving[leaving.offset] = leaving
        self._for.setdefault(leaving.target, {})[leaving.offset] = leaving

    def take(self, offset: int) -> Leaving | None:
        """One that is leaving no more; None if it was not."""
        leaving = self._leaving.pop(offset, None)
        if leaving:
            self.changed.add(("leave", offset))
            of_target = self._for[leaving.target]
            del of_target[offset]
            if not of_target:
                del self._for[leaving.target]
        return leaving

    def remember(self, offset: int) -> None:
        """That record left."""
        self._left[offset] = None
        self.changed.add(("left", offset))
        if len(self._left) > LEFT_REMEMBERED:
            oldest = next(iter(self._left))
            del self._left[oldest]
            self.changed.add(("left", oldest))

    def stored(self, kind: str, offset: int) -> bytes | int | None:
        """A field as it is stored, `leave` or `left`; None if it is gone."""
        if kind == "left":
            return 1 if offset in self._left else None
        leaving = self._leaving.get(offset)
        return _LEAVING.pack(*structs.astuple(leaving)[1:]) if leaving else None

    def load(self, leaving: dict[int, bytes], left: list[int]) -> None:
        """What stored fields describe, by offset."""
        found = []
        for offset, value in leaving.items():
            target, sequence, deliveries, first_received, reason = _LEAVING.unpack(value)
            found.append(Leaving(offset, target, sequence, deliveries, first_received, Reason(reason)))
        for one in sorted(found, key=lambda one: one.sequence):
            self._add(one)
        self._left = dict.fromkeys(sorted(left))
