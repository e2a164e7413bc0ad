"""Gather: one receive over the shards of a queue."""

import asyncio
from collections.abc import Sequence

from quintet_broker.engine.pool.route import Route
from quintet_broker.engine.requests import Delivery, Receive
from quintet_broker.errors import BrokerError, NotOwner, Overloaded, TooManyInFlight, Unavailable

ANSWERS_WITHIN = 1.0
"""Seconds; a shard that does not answer so soon does not keep others' records back."""
SELECTS_WITHIN = 6.0
"""Seconds; so too where it has to look for what a selector matches."""
PASSED_OVER = (NotOwner, Overloaded, TooManyInFlight, Unavailable, TimeoutError)
"""What keeps one shard alone from giving anything."""

Gathered = list[tuple[Route, Delivery]]
"""What came, and of which shard."""


async def gather(routes: Sequence[Route], receive: Receive) -> Gathered:
    """What the shards have, asked one after the other; where they have nothing, what one of them gets first.

    Cancelling gives back what was claimed, and so does an error. Raises BrokerError where no shard could give anything.
    """
    found = await _ask_in_turn(routes, receive)
    if found or receive.until <= receive.at:
        return found
    return await _wait_at_all(routes, receive)


async def _ask_in_turn(routes: Sequence[Route], receive: Receive) -> Gathered:
    found: Gathered = []
    errors: list[Exception] = []
    within = ANSWERS_WITHIN if receive.selector is None else SELECTS_WITHIN
    try:
        for route in routes:
            left = receive.limit - _count(found)
            if left <= 0:
                break
            ask = receive.again()
            ask.limit, ask.until = left, receive.at
            try:
                async with asyncio.timeout(within):
                    found += [(route, delivery) for delivery in await route.serve(ask, asks_again=False)]
            except PASSED_OVER as error:
                errors.append(error)
    except BaseException:
        _give_back(found)
        raise
    if len(errors) == len(routes) and receive.until <= receive.at:
        raise _worst(errors)
    return found


async def _wait_at_all(routes: Sequence[Route], receive: Receive) -> Gathered:
    waiting = {asyncio.ensure_future(route.serve(receive.again())): route for route in routes}
    found: Gathered = []
    errors: list[Exception] = []
    try:
        while waiting and not found:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                route = waiting.pop(task)
                try:
                    found += [(route, delivery) for delivery in task.result()]
                except PASSED_OVER as error:
                    errors.append(error)
    except BaseException:
        _give_back(found)
        raise
    finally:
        # A receive that is cancelled gives back what it got meanwhile.
        for task, route in waiting.items():
            if not task.cancel() and not task.exception():
                route.give_back(task.result())
    if len(errors) == len(routes):
        raise _worst(errors)
    kept, too_many = _split(found, receive.limit)
    _give_back(too_many)
    return kept


def _count(some: Gathered) -> int:
    return sum(delivery.count for _, delivery in some)


def _split(some: Gathered, limit: int) -> tuple[Gathered, Gathered]:
    """The first `limit` records, and the others."""
    kept: Gathered = []
    others: Gathered = []
    for route, delivery in some:
        count = min(delivery.count, limit - _count(kept))
        if count:
            kept.append((route, delivery.part(0, count)))
        if count < delivery.count:
            others.append((route, delivery.part(count, delivery.count - count)))
    return kept, others


def _give_back(some: Gathered) -> None:
    by_route: dict[Route, list[Delivery]] = {}
    for route, delivery in some:
        by_route.setdefault(route, []).append(delivery)
    for route, deliveries in by_route.items():
        route.give_back(deliveries)


def _worst(errors: Sequence[Exception]) -> BrokerError:
    """What to say where no shard gives anything."""
    told = [error for error in errors if isinstance(error, BrokerError) and not isinstance(error, NotOwner)]
    return told[0] if told else Unavailable()
