"""Spread: the shards of one queue, and the append that each of them stores its part of.

Where a queue has just grown, an append may come to a shard that gave some of its keys away: that refuses it whole, and
what was refused goes to the shards that take it by now. These are new ones, which have nothing of that append yet; so a
shard gets all that it takes of one sequence of a producer at once, and one check of the sequence is enough.
"""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

from msgspec import Struct

from quintet_broker.engine.pool.gather import Gathered, gather
from quintet_broker.engine.pool.owners import Member
from quintet_broker.engine.pool.route import ASK_AGAIN_AFTER, PATIENCE, Pool, Route, serve_all
from quintet_broker.engine.records.headers import ID
from quintet_broker.engine.requests import Append, Recall, Receive, Request, Sent
from quintet_broker.engine.state.jump import hash_of, places_of
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.producers import IDLE
from quintet_broker.errors import BrokerError, KeyMoved, QueueFull, Unavailable

Answer = TypeVar("Answer")
Stored = dict[int, Sent | None]
"""By place in an append, what a record was confirmed with."""


class Grown(Struct, frozen=True):
    """That a queue grew."""

    count: int
    """Of the shards that it was made with."""
    at: int
    """When it grew last, in milliseconds since 1970."""


class Spread:
    """The way to a queue. Not thread-safe: it belongs to one event loop."""

    policy: Policy
    """The queue's: its shards have theirs of it."""
    grown: Grown | None
    """None: it has the shards that it was made with."""

    def __init__(self, pool: Pool) -> None:
        self.routes: list[Route] = []
        """To its shards, the oldest first."""
        self._pool = pool
        self._received = 0
        self._sent = 0

    @property
    def number(self) -> int:
        """Of the first shard: it names the queue to other queues."""
        return self.routes[0].number

    @property
    def owner(self) -> Member | None:
        """A broker that owns some of the shards: this one, if it does."""
        return next((route for route in self.routes if route.shard), self.routes[0]).owner

    def in_turn(self) -> list[Route]:
        """All routes, beginning with another one each time."""
        self._received += 1
        first = self._received % len(self.routes)
        return self.routes[first:] + self.routes[:first]

    async def receive(self, receive: Receive) -> Gathered:
        """What one shard after the other has, or gets first. Cancelling gives back what was claimed.

        Raises BrokerError.
        """
        if len(self.routes) == 1:
            [route] = self.routes
            return [(route, delivery) for delivery in await route.serve(receive)]
        return await gather(self.in_turn(), receive)

    async def ask_all(self, kind: Callable[[int], Request[Answer]]) -> list[Answer]:
        """The answers of all shards to what is asked at this millisecond. Raises BrokerError."""
        now = self._pool.now()
        return await serve_all([(route, kind(now)) for route in self.routes])

    async def append(self, append: Append) -> list[Sent] | None:
        """Store records, each at its shard. What one shard takes is stored all or nothing.

        Raises BrokerError: then some may be stored, and with a producer it can be tried again.
        """
        if len(self.routes) == 1:
            try:
                return await self.routes[0].serve(append)
            except KeyMoved:
                await self._look(append)
        append.open()
        stored: Stored = {}
        left = list(range(len(append.records)))
        while left := await self._attempt(append, left, stored):
            await self._look(append)
        return [sent for _, sent in sorted(stored.items()) if sent] if self.policy.ordered else None

    async def _attempt(self, append: Append, left: list[int], stored: Stored) -> list[int]:
        """Have shards store what is `left`, by places; what those that were asked do not take any more."""
        # It may grow meanwhile: each shard is told by how many its part was chosen.
        count = len(self.routes)
        parts = self._parts(append, left, count)
        self._check_shares(append, parts)
        outcomes = await asyncio.gather(
            *(self._store(append, part, shard, count) for shard, part in parts.items()), return_exceptions=True
        )
        errors = []
        for outcome in outcomes:
            if not isinstance(outcome, BaseException):
                stored |= outcome
            elif not isinstance(outcome, KeyMoved):
                errors.append(outcome)
        if errors:
            raise _refusal(errors, bool(stored))
        return [place for place in left if place not in stored]

    def _parts(self, append: Append, left: list[int], count: int) -> dict[int, list[int]]:
        """By shard, of so many, what it takes."""
        parts: dict[int, list[int]] = {}
        some: int | None = None
        for place in left:
            hashed = self._hash(append, place)
            if hashed is None:
                some = self._some() if some is None else some
                parts.setdefault(some, []).append(place)
            else:
                parts.setdefault(places_of(hashed, count)[-1], []).append(place)
        return parts

    def _check_shares(self, append: Append, parts: dict[int, list[int]]) -> None:
        """Raises QueueFull where a part is more than its shard can ever hold. As nothing is stored yet, a client may
        send fewer at once; had others stored theirs, it could but repeat the same for ever."""
        if append.is_moved or (self.policy.messages is None and self.policy.bytes is None):
            return
        share = self.policy.of_shard([route.number for route in self.routes], 0)
        for part in parts.values():
            if share.messages is not None and len(part) > share.messages:
                raise QueueFull(
                    f"{len(part)} messages go to one shard, whose part of limits.messages is {share.messages}."
                )
            if share.bytes is not None and (size := sum([append.records[place].size for place in part])) > share.bytes:
                raise QueueFull(f"{size} bytes go to one shard, whose part of limits.bytes is {share.bytes}.")

    def _hash(self, append: Append, place: int) -> int | None:
        return hash_of(append.records[place], append.producer, append.sequences[place], self.policy.ordered)

    def _some(self) -> int:
        """A shard for what any may take: one that is owned here, if there are some."""
        shards = range(len(self.routes))
        own = [shard for shard in shards if self.routes[shard].shard] or shards
        self._sent += 1
        return own[self._sent % len(own)]

    async def _store(self, append: Append, part: list[int], shard: int, count: int) -> Stored:
        stored = await self._recall(append, part, count)
        if fresh := [place for place in part if place not in stored]:
            sent = await self.routes[shard].serve(append.part(fresh, count))
            stored |= zip(fresh, sent, strict=True) if sent else dict.fromkeys(fresh)
        return stored

    async def _look(self, append: Append) -> None:
        """Learn how the queue grew. Raises Unavailable."""
        if append.owed_at + PATIENCE < self._pool.now():
            raise Unavailable
        count = len(self.routes)
        await self._pool.look()
        if len(self.routes) == count:
            await asyncio.sleep(ASK_AGAIN_AFTER)

    # What was sent before it grew

    async def _recall(self, append: Append, part: list[int], count: int) -> Stored:
        """What is stored of a part at the shards that took it before there were `count`.

        No client sends anything again after an hour; a shard sends what it moves until it is stored.
        """
        if not self.grown or (not append.is_moved and self.grown.at + IDLE < self._pool.now()):
            return {}
        asked: dict[int, list[tuple[int, int]]] = {}
        for place in part:
            hashed = self._hash(append, place)
            if hashed is None or (append.producer is None and append.deduplication[place] is None):
                continue
            for before, after in pairwise(places_of(hashed, count)):
                if after >= self.grown.count:
                    asked.setdefault(before, []).append((place, after + 1))
        found = await asyncio.gather(*(self._recall_at(shard, append, pairs) for shard, pairs in asked.items()))
        return {place: sent for some in found for place, sent in some.items()}

    async def _recall_at(self, shard: int, append: Append, pairs: list[tuple[int, int]]) -> Stored:
        """Of some places in an append, each with the count of shards with which the key went elsewhere."""
        recall = Recall(
            self._pool.now(),
            append.producer,
            [append.sequences[place] for place, _ in pairs],
            [append.deduplication[place] for place, _ in pairs],
            [count for _, count in pairs],
        )
        answers = await self.routes[shard].serve(recall)
        return {
            place: sent if sent.id else Sent(append.records[place].header(ID) or b"", sent.sequence)
            for (place, _), sent in zip(pairs, answers, strict=True)
            if sent
        }


def _refusal(errors: list[BaseException], is_stored_in_part: bool) -> BaseException:
    """Why an append failed. Only where nothing of it can be stored is it what a shard refused it for: one that means to
    try parts of it anew would else double some."""
    uncertain = next((error for error in errors if isinstance(error, Unavailable)), None)
    if is_stored_in_part and isinstance(errors[0], BrokerError):
        return uncertain or Unavailable(f"Some of it is stored, some is not: {errors[0]}")
    return uncertain or errors[0]
