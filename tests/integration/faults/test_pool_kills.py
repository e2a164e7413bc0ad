"""Kills by SIGKILL at random moments, of three brokers and their Redis, under the prober: 20, or FAULTS_KILLS."""

import os

import pytest

from quintet.client import Client
from tests.integration.faults.system import QUEUES, Killer, seed, spread
from tests.integration.faults.test_kills import strike
from tests.prober.ports import QuintetPort
from tests.prober.prober import Load, Prober
from tests.processes import Pool

KILLS = int(os.environ.get("FAULTS_KILLS", "20")) // 2
"""In each test."""
LOAD = Load(producers=18, consumers=18, rate=10, visibility=3.0)

pytestmark = pytest.mark.timeout(120 + 5 * KILLS)


@pytest.mark.parametrize("ordering", ["Standard", "Fifo"])
async def test_nothing_is_lost(pool: Pool, clients: list[Client], ordering: str) -> None:
    async with Prober(await spread(clients, {"ordering": ordering}), LOAD) as prober:
        await strike(prober, Killer(seed(), pool.brokers, pool.redis), KILLS)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}


async def test_dead_letters_move_between_brokers_once(pool: Pool, clients: list[Client]) -> None:
    await clients[0].create_queue("dead")
    ports = await spread(clients, {"deadLetter": {"queue": "dead", "maxReceives": 2}})
    load = Load(producers=18, consumers=18, rate=10, visibility=1.0, poison_every=2)
    async with Prober(ports, load, dead_letter=[QuintetPort(client.queue("dead")) for client in clients]) as prober:
        await strike(prober, Killer(seed(), pool.brokers, pool.redis), KILLS)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}
    assert len(prober.poisoned) > len(QUEUES)
    assert prober.poisoned - prober.ledger.dead_lettered == set()
