"""What a minute of a long run was like, for the clients, the broker and Redis."""

import asyncio
import time
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tests.bench.latencies import Latencies
from tests.bench.numbered import Numbered
from tests.bench.system import System

LOOKS_EACH = 0.1
"""Seconds between two looks at Redis."""


class Watch:
    """What becomes of the traffic and of the processes, row by row, and whether a rewrite was under way."""

    def __init__(self, system: System, traffic: Numbered, minute: float) -> None:
        self.rewriting, self.between = Latencies(), Latencies()
        self.ended = False
        """Set it, and it prints no more."""
        self.rewrites = 0
        self.longest_fork = 0.0
        """Seconds."""
        self._system = system
        self._traffic = traffic
        self._minute = minute

    async def run(self) -> None:
        """Print a row a minute; each begins with a rewrite, beside those that Redis begins by itself."""
        print("| minute | messages/s | p50 ms | p99 ms | longest ms | rewrites | broker MB | Redis MB | of them data |")
        print("|---|---|---|---|---|---|---|---|---|")
        async with Redis.from_url(self._system.redis.url) as redis:
            began = time.monotonic()
            minute = 0
            while not self.ended:
                minute += 1
                with suppress(ResponseError):  # One is under way.
                    await redis.bgrewriteaof()
                before = self.rewrites
                took = await self._look(redis, began + minute * self._minute)
                held = self._system.memory()
                told = await redis.info("memory", "stats")
                self.longest_fork = max(self.longest_fork, told["latest_fork_usec"] / 1e6)
                print(
                    f"| {minute} | {len(took) / self._minute:,.0f} | {took.row()} | {self.rewrites - before} "
                    f"| {held['broker']:.0f} | {held['Redis']:.0f} | {told['used_memory'] / 1e6:.0f} |",
                    flush=True,
                )

    async def _look(self, redis: Redis, until: float) -> Latencies:
        """What was received until then."""
        whole = Latencies()
        while time.monotonic() < until and not self.ended:
            await asyncio.sleep(LOOKS_EACH)
            told = await redis.info("persistence")
            took, self._traffic.took = self._traffic.took, Latencies()
            whole.merge(took)
            begun = told["aof_rewrites"] - self.rewrites
            (self.rewriting if begun or told["aof_rewrite_in_progress"] else self.between).merge(took)
            self.rewrites += begun
        return whole
