"""Redrive: what is still to be brought back out of a dead-letter queue, and how fast. Pure; `now` is an argument."""

from collections.abc import Sequence
from itertools import zip_longest

import msgspec
from msgspec import Struct

from quintet_broker.engine.requests import Progress

AT_ONCE = 1000
"""Records that are on their way at a time."""
LOOK_EVERY = 20
"""Milliseconds between looks, where a rate is to be kept."""
WAIT = 100
"""Milliseconds until the next look, where no record could go."""
RATE_DIGITS = 6
"""Behind the point: what was divided among shards is told as it was given."""
REMEMBERED = 10
"""Redrives that are told of."""
BEHIND = 1000
"""Milliseconds; what a rate allowed longer ago is not caught up with."""


class Redrive(Struct):
    """One that was started, until the next one is."""

    target: int | None
    """Number of the shard to which all records go; None brings each to where it came from."""
    rate: float | None
    """Records a second, None for as many as can go."""
    left: int
    """How many records are still to be looked at; 0 once it has ended."""
    started_at: int
    """Milliseconds since 1970; so too `look_at`."""
    next_at: float
    """Millisecond at which the rate allows another record."""
    look_at: int
    moved: int = 0
    """How many went, or are on their way."""
    asked: int = 0
    """How many there were to look at."""
    stopped: bool = False
    before: list[Progress] = []
    """Earlier redrives, the newest first."""

    @classmethod
    def begin(
        cls, target: int | None, rate: float | None, left: int, now: int, last: "Redrive | None" = None
    ) -> "Redrive":
        """In place of the last one, which ends."""
        before: list[Progress] = []
        if last:
            last.stop()
            before = [last.told(is_leaving=False), *last.before][: REMEMBERED - 1]
        return cls(target, rate, left, now, now, now, asked=left, before=before)

    def stop(self) -> None:
        self.stopped = self.stopped or self.left > 0
        self.left = 0

    def told(self, is_leaving: bool) -> Progress:
        """`is_leaving`: whether records are still on their way."""
        running = self.left > 0 or is_leaving
        return Progress(
            running, self.moved, self.left, self.rate, self.started_at, self.asked, self.target, self.stopped
        )

    def allowed(self, now: int) -> int:
        """How many records may be looked at now."""
        if now < self.look_at:
            return 0
        most = min(self.left, AT_ONCE)
        return most if self.rate is None else min(most, max(int((now - self.next_at) * self.rate / 1000 + 1), 0))

    def looked_at(self, count: int, moved: int, now: int) -> None:
        """So many were looked at, and some of them go."""
        self.left -= count
        self.moved += moved
        self.look_at = now if count else now + WAIT
        if self.rate is not None:
            self.next_at = max(self.next_at, now - BEHIND) + count * 1000 / self.rate
            self.look_at = max(self.look_at + LOOK_EVERY, int(self.next_at))

    def stayed(self, count: int) -> None:
        """So many could not go after all."""
        self.moved = max(self.moved - count, 0)

    def encode(self) -> str:
        """As `meta` keeps it, under redrive."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> "Redrive":
        return msgspec.json.decode(text, type=cls)


# Over the shards of a queue


def shares(limit: int | None, visible: Sequence[int]) -> list[int | None]:
    """How many records each shard may bring back, by how many are visible there."""
    if limit is None:
        return [None] * len(visible)
    found: list[int | None] = []
    for count in visible:
        found.append(min(limit, count))
        limit -= min(limit, count)
    return found


def together(parts: Sequence[Progress]) -> Progress:
    """How far the redrives of all shards have come."""
    rates = [part.rate for part in parts if part.rate is not None]
    return Progress(
        running=any(part.running for part in parts),
        moved=sum(part.moved for part in parts),
        left=sum(part.left for part in parts),
        rate=round(sum(rates), RATE_DIGITS) if rates else None,
        started_at=max((part.started_at for part in parts if part.started_at is not None), default=None),
        asked=sum(part.asked for part in parts),
        target=next((part.target for part in parts if part.target is not None), None),
        stopped=any(part.stopped for part in parts),
    )


def all_together(parts: Sequence[Sequence[Progress]]) -> list[Progress]:
    """The last redrives of all shards, the newest first; a shard that came later has fewer."""
    return [together([part for part in one if part]) for one in zip_longest(*parts)]
