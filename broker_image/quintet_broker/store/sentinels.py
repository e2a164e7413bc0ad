"""Sentinels: who tells which Redis is the primary."""

import asyncio

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from quintet_broker.store.node import Connection, Node


class Sentinels(Sentinel):
    """All of them are asked: one that heard of the last fail-over knows a higher epoch than one that did not yet."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Raises MasterNotFoundError where the last fail-over is under way, or nobody answers."""
        asked = (sentinel.sentinel_masters() for sentinel in self.sentinels)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found = [answer[service_name] for answer in answers if isinstance(answer, dict) and service_name in answer]
        newest = max(found, key=lambda state: state["config-epoch"], default=None)
        if newest is None:
            errors = ", ".join(str(answer) for answer in answers if isinstance(answer, BaseException))
            raise MasterNotFoundError(f"no Sentinel knows a primary {service_name}. {errors}")
        if "failover_in_progress" in newest["flags"] or not self.check_master_state(newest, service_name):
            raise MasterNotFoundError(f"the primary of {service_name} is down, and no other one took its place yet")
        return newest["ip"], newest["port"]


class SentinelConnection(Connection):
    """The primary that Sentinels name."""

    def __init__(self, node: Node, pool: "SentinelPool", sentinels: Sentinels) -> None:
        super().__init__(node)
        self._pool = pool
        self._sentinels = sentinels

    async def discover(self) -> None:
        before = self._pool.master_address
        if before not in (None, await self._pool.get_master_address()):  # type: ignore[no-untyped-call]
            # One that hangs would keep those who wait for it until their time is over.
            await self.drop()

    async def close(self) -> None:
        await super().close()
        for sentinel in self._sentinels.sentinels:
            await sentinel.aclose()


class SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the primary; who finds all of them taken waits for one."""
