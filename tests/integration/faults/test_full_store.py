"""A Redis at its memory limit refuses what adds to it, can be drained, and takes messages again."""

import pytest
from redis.asyncio import Redis

from quintet.client import Client
from quintet.errors import PoolFull
from tests.prober.ports import GatedPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker, RedisServer

MEMORY = 24 * 1024 * 1024
MESSAGE = 50_000


async def test_a_full_pool_drains(own_broker: Broker, own_redis: RedisServer, hasty_client: Client) -> None:
    if own_redis.version < (7,):
        pytest.skip("Redis before 7 has no flag for scripts that free memory, and is used without a limit")
    await hasty_client.create_queue("orders")
    port = GatedPort(hasty_client.queue("orders"))
    async with (
        Redis.from_url(own_redis.url) as redis,
        Prober([port], Load(size=MESSAGE, visibility=2.0)) as prober,
    ):
        await redis.config_set("maxmemory", MEMORY)
        await prober.until(lambda: prober.unanswered > 20, within=20)
        assert prober.ledger.confirmed > MEMORY // MESSAGE // 2
        with pytest.raises(PoolFull):
            await hasty_client.queue("orders").send("x")
        # From here on Redis refuses every script but those that say that they free memory.
        await redis.config_set("maxmemory", MEMORY // 2)
        port.gate.set()
        await prober.progress(MEMORY // MESSAGE)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}
