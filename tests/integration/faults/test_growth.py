"""A queue gets more shards under the prober, while brokers and their Redis are killed."""

import os

import pytest

from quintet.client import Client
from tests.integration.faults.system import Killer, seed
from tests.integration.faults.test_kills import strike
from tests.prober.ports import QuintetPort
from tests.prober.prober import Load, Prober
from tests.processes import Pool

KILLS = int(os.environ.get("FAULTS_KILLS", "20")) // 5
"""After each growth."""
SHARDS = (4, 8)
LOAD = Load(producers=9, consumers=9, keys=5, rate=20, visibility=3.0)
SPECS = {"Standard": {}, "Fifo": {"ordering": "Fifo", "deduplication": {"scope": "Group"}}}

pytestmark = pytest.mark.timeout(240 + 20 * KILLS)


@pytest.mark.parametrize("ordering", SPECS)
async def test_nothing_is_lost_doubled_or_out_of_order(pool: Pool, clients: list[Client], ordering: str) -> None:
    await clients[0].create_queue("orders", SPECS[ordering])
    ports = [QuintetPort(client.queue("orders"), ordered=ordering == "Fifo") for client in clients]
    async with Prober(ports, LOAD) as prober:
        await prober.progress(50)
        for place, shards in enumerate(SHARDS):
            killer = Killer(seed() + place, pool.brokers, pool.redis)
            await clients[place].update_queue("orders", {"shards": shards})
            await strike(prober, killer, KILLS)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}
