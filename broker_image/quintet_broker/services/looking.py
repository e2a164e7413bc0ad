"""Looking: messages as they lie in a queue's shards, one shard after the other; nothing changes by it."""

from collections.abc import Callable, Sequence

from quintet_broker.engine.pool.route import Route
from quintet_broker.engine.requests import Peek, Tail
from quintet_broker.errors import InvalidArgument
from quintet_broker.services import receipts
from quintet_broker.services.messages import Message, Peeked, Tailed, message_of
from quintet_broker.services.receiving import MAX_RECEIVE


async def peek(routes: Sequence[Route], limit: int, start: str | None, now: Callable[[], int]) -> Peeked:
    """Those that are visible or in flight, from `start` on, or from the beginning."""
    if not 1 <= limit <= MAX_RECEIVE:
        raise InvalidArgument(f"A peek takes 1 to {MAX_RECEIVE} messages.")
    numbers = [route.number for route in routes]
    shard, place = receipts.opened_place(numbers, start) if start else (numbers[0], receipts.BEGINNING)
    seen: list[Message] = []
    for route in routes[numbers.index(shard) :]:
        if len(seen) >= limit:
            return Peeked(seen, receipts.place(route.number, receipts.BEGINNING))
        found = await route.serve(Peek(now(), limit - len(seen), place))
        seen += [message_of(one.record, "", one.deliveries, one.first_received, one.is_in_flight) for one in found.seen]
        if found.next:
            return Peeked(seen, receipts.place(route.number, found.next))
        place = receipts.BEGINNING
    return Peeked(seen, None)


async def tail(routes: Sequence[Route], limit: int, start: str | None, since: int, now: Callable[[], int]) -> Tailed:
    """Those that came behind `start`, or without it `since` then; since 0, none."""
    if not 1 <= limit <= MAX_RECEIVE:
        raise InvalidArgument(f"A tail takes 1 to {MAX_RECEIVE} messages.")
    numbers = [route.number for route in routes]
    known, earliest = receipts.opened_ends(numbers, start) if start else (None, since)
    found: list[Message] = []
    ends: receipts.Ends = {}
    missed = 0
    for route in routes:
        # A shard that nobody knew of then has begun since.
        places = None if known is None else known.get(route.number, {})
        tailed = await route.serve(Tail(now(), limit - len(found), places, earliest))
        found += [message_of(record, "", 0, 0, is_in_flight=False) for record in tailed.records]
        ends[route.number] = tailed.places
        missed += tailed.missed
    found.sort(key=lambda message: message.sent_at)
    return Tailed(found, receipts.ends(ends, earliest), missed)
