"""Joiner: lets a new shard of a queue take its keys over from the older ones, and deliver once they are done with them.

Both are asked of their owners as often as it takes: what was said once stays true, so a crash between any two steps
costs nothing but time.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from quintet_broker.engine.requests import Request, Settled, Split
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.errors import BrokerError

PAUSE = (0.02, 1.0)
"""Seconds until it is asked again, at first and at most."""


class Older(Protocol):
    """The way to a shard."""

    async def serve(self, request: Request[Any]) -> Any:
        """Raises BrokerError."""


async def join(shard: Shard, route_of: Callable[[int], Older | None], now: Callable[[], int]) -> None:
    """As long as the shard wants something of older ones."""
    pause, longest = PAUSE
    while shard.wants_to_join or shard.wants_to_begin:
        routes = [route for number in shard.policy.older if (route := route_of(number))]
        if len(routes) < len(shard.policy.older):
            return
        try:
            if await (_join if shard.wants_to_join else _begin)(shard, routes, now):
                pause, _ = PAUSE
                continue
        except BrokerError:
            # Nobody owns one of them just now, or its store does not answer.
            pass
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest)


async def _join(shard: Shard, routes: list[Older], now: Callable[[], int]) -> bool:
    count = len(routes) + 1
    # One after the other: where one of several refuses as they are cancelled, gather would hide that they are.
    shard.join(max([await route.serve(Split(now(), count)) for route in routes]))
    return True


async def _begin(shard: Shard, routes: list[Older], now: Callable[[], int]) -> bool:
    for route in routes:
        if not await route.serve(Settled(now(), len(routes) + 1)):
            return False
    shard.begin()
    return True
