"""Mover: brings leaving records to the shards they go to, by idempotent append.

The source's write that marks a record as leaving gives it the next sequence of (source, target). The target stores
it under that sequence, once however often it is sent; then the source acknowledges it. So a crash between any two of
these steps neither loses nor doubles a record.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec import structs

from quintet_broker.engine.cursor import Leaving
from quintet_broker.engine.headers import FIRST_RECEIVED_AT, MOVED_AT, OF_MOVES, REASON, RECEIVES, SOURCE, SOURCE_SHARD
from quintet_broker.engine.reason import Reason
from quintet_broker.engine.record import Record
from quintet_broker.engine.requests import Append, Left, Stay
from quintet_broker.engine.shard import Shard
from quintet_broker.errors import BrokerError, NotOwner

AT_ONCE = 100
RETRY_AFTER = 0.5
"""Seconds until a full target is tried again."""


class Target(Protocol):
    """Where records go."""

    async def serve(self, request: Append) -> object:
        """Raises BrokerError."""


async def move(source: Shard, route_of: Callable[[int], Target | None], now: Callable[[], int]) -> None:
    """Move all that is leaving `source`, as long as it is owned here. Raises Unavailable."""
    with suppress(NotOwner):
        await _move(source, route_of, now)


async def _move(source: Shard, route_of: Callable[[int], Target | None], now: Callable[[], int]) -> None:
    while going := source.next_leaving(AT_ONCE):
        lane, some = going
        found = await source.read(lane, [leaving.offset for leaving in some])
        some = some[: len(found)]
        places = [(lane.number, leaving.offset) for leaving in some]
        target = route_of(some[0].target)
        done: Left | Stay
        if target is None:
            done = Stay(now(), places)
        elif await _append(source, target, list(zip(some, found, strict=True)), now()):
            done = Left(now(), places)
        else:
            await asyncio.sleep(RETRY_AFTER)
            # Once this is answered, what is leaving by now is stored as leaving.
            done = Left(now(), [])
        source.ask(done)
        await done.future


async def _append(source: Shard, target: Target, some: list[tuple[Leaving, Record | None]], now: int) -> bool:
    """Store records at the target, all or none; False if it cannot take them now, or may not have."""
    # A record may be gone meanwhile, by a purge or its age.
    there = [(leaving, record) for leaving, record in some if record is not None]
    records = [_moved(record, leaving, source, now) for leaving, record in there]
    if not records:
        return True
    append = Append(now, records, [None] * len(records), -source.number, [leaving.sequence for leaving, _ in there])
    try:
        await target.serve(append)
    except BrokerError:
        # Full, closed just now, or not answered: the same sequences again are stored once.
        return False
    return True


def _moved(record: Record, leaving: Leaving, source: Shard, now: int) -> Record:
    added = {MOVED_AT: str(now)}
    if leaving.reason is not Reason.REDRIVE:
        added |= {
            SOURCE: source.policy.name,
            SOURCE_SHARD: str(source.number),
            REASON: leaving.reason.word,
            RECEIVES: str(leaving.deliveries),
        }
        if first := record.header(FIRST_RECEIVED_AT):
            added[FIRST_RECEIVED_AT] = first.decode()
        elif leaving.first_received:
            added[FIRST_RECEIVED_AT] = str(leaving.first_received)
    kept = tuple((header, value) for header, value in record.headers if header not in OF_MOVES)
    return structs.replace(record, headers=kept + tuple((header, text.encode()) for header, text in added.items()))
