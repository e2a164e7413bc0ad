"""Movers: bring leaving records to the queues they go to, by idempotent append.

The source's write that marks a record as leaving gives it the next sequence of (source, target). The target stores
it under that sequence, once however often it is sent; then the source acknowledges it. So a crash between any two of
these steps neither loses nor doubles a record.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from msgspec import structs

from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.lanes.leaving import Leaving
from quintet_broker.engine.records.headers import (
    FIRST_RECEIVED_AT,
    MOVED_AT,
    OF_MOVES,
    REASON,
    RECEIVES,
    SOURCE,
    SOURCE_SHARD,
)
from quintet_broker.engine.records.reason import Reason
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append, Left, Stay
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.errors import BrokerError, NotOwner

AT_ONCE = 100
BATCHES = 32
"""Of so many records, about 1 MiB at most, that a broker holds on their way."""
RETRY_AFTER = 0.5
"""Seconds until a full target is tried again."""


class Target(Protocol):
    """Where records go."""

    async def append(self, append: Append) -> object:
        """Raises BrokerError."""


class Movers:
    """The movers of a broker, one for each target of each shard: a target that takes nothing holds up no other.

    A target is a queue, by the number of its first shard.
    """

    def __init__(
        self,
        route_of: Callable[[int], Target | None],
        now: Callable[[], int],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """`start` runs something beside the ticks."""
        self._route_of = route_of
        self._now = now
        self._start = start
        self._moving: defaultdict[Shard, dict[int, asyncio.Task[None]]] = defaultdict(dict)
        self._room = asyncio.Semaphore(BATCHES)

    def move(self, source: Shard) -> None:
        """Move all that is leaving a shard and is stored as leaving, as long as the shard is owned here."""
        for target in source.targets - self._moving[source].keys():
            task = self._start(self._move(source, target))
            self._moving[source][target] = task
            task.add_done_callback(partial(self._ended, source, target))

    def stop(self, source: Shard) -> None:
        for task in self._moving.get(source, {}).values():
            task.cancel()

    def _ended(self, source: Shard, target: int, _: object) -> None:
        del self._moving[source][target]
        if not self._moving[source]:
            del self._moving[source]

    async def _move(self, source: Shard, target: int) -> None:
        """Raises Unavailable."""
        with suppress(NotOwner):
            while going := source.next_leaving(target, AT_ONCE):
                async with self._room:
                    done = await self._pass_on(source, target, *going)
                if done is None:
                    await asyncio.sleep(RETRY_AFTER)
                    # Once this is answered, what is leaving by now is stored as leaving.
                    done = Left(self._now(), [])
                source.ask(done)
                await done.future

    async def _pass_on(self, source: Shard, number: int, lane: Lane, some: list[Leaving]) -> Left | Stay | None:
        """What became of records that go to one target; None if it did not take them."""
        found = await source.read(lane, [leaving.offset for leaving in some])
        some = some[: len(found)]
        places = [(lane.number, leaving.offset) for leaving in some]
        target = self._route_of(number)
        if target is None:
            return Stay(self._now(), places)
        taken = await _append(source, target, list(zip(some, found, strict=True)), self._now())
        return Left(self._now(), places) if taken else None


async def _append(source: Shard, target: Target, some: list[tuple[Leaving, Record | None]], now: int) -> bool:
    """Store records at the target, all or none; False if it cannot take them now, or may not have."""
    # A record may be gone meanwhile, by a purge or its age.
    there = [(leaving, record) for leaving, record in some if record is not None]
    records = [_moved(record, leaving, source, now) for leaving, record in there]
    if not records:
        return True
    append = Append(now, records, [None] * len(records), -source.number, [leaving.sequence for leaving, _ in there])
    try:
        await target.append(append)
    except BrokerError:
        # Full, closed just now, or not answered: the same sequences again are stored once.
        return False
    return True


def _moved(record: Record, leaving: Leaving, source: Shard, now: int) -> Record:
    added = {MOVED_AT: str(now)}
    if leaving.reason is not Reason.REDRIVE:
        added |= {
            SOURCE: source.policy.name,
            SOURCE_SHARD: str(source.first),
            REASON: leaving.reason.word,
            RECEIVES: str(leaving.deliveries),
        }
        if first := record.header(FIRST_RECEIVED_AT):
            added[FIRST_RECEIVED_AT] = first.decode()
        elif leaving.first_received:
            added[FIRST_RECEIVED_AT] = str(leaving.first_received)
    kept = tuple((header, value) for header, value in record.headers if header not in OF_MOVES)
    return structs.replace(record, headers=kept + tuple((header, text.encode()) for header, text in added.items()))
