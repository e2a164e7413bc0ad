"""What fails in passing is tried again: how long, and after which pauses."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from quintet.errors import RETRIED

Result = TypeVar("Result")

ATTEMPT = 12.0
"""Seconds for one attempt; a broker gives up on its store after 10."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds."""
LEAST = 0.05
"""Seconds of an attempt; to aiohttp 0 would be no limit."""


def pauses() -> Iterator[float]:
    """Seconds to wait before each next attempt, longer and longer; spread, so that clients do not come together."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(2 * pause, LONGEST_PAUSE)


async def retried(attempt: Callable[[float], Awaitable[Result]], within: float) -> Result:
    """What an attempt returns, which is given the seconds that are left. Raises the refusal, or the last failure."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + within
    for pause in pauses():
        try:
            return await attempt(max(ends_at - loop.time(), LEAST))
        except RETRIED:
            if loop.time() + pause >= ends_at:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("pauses never end")
