"""Kills by SIGKILL at random moments, of three brokers and their Redis, under the prober: 20, or FAULTS_KILLS."""

import os
from dataclasses import replace

import pytest

from quintet.client import Client
from tests.integration.faults.system import DEAD_LETTERS, QUEUES, Killer, make_queues, seed, spread
from tests.integration.faults.test_kills import strike
from tests.prober.ports import QuintetPort
from tests.prober.prober import Load, Prober
from tests.processes import Pool

KILLS = int(os.environ.get("FAULTS_KILLS", "20")) // 2
"""In each test."""
LOAD = Load(producers=18, consumers=18, rate=10, visibility=3.0)

pytestmark = pytest.mark.timeout(120 + 5 * KILLS)


async def test_nothing_is_lost(pool: Pool, clients: list[Client]) -> None:
    await make_queues(clients[0])
    async with Prober(spread(clients), LOAD) as prober:
        await strike(prober, Killer(seed(), pool.brokers, pool.redis), KILLS)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}


async def test_dead_letters_move_between_brokers_once(pool: Pool, clients: list[Client]) -> None:
    await make_queues(clients[0], max_receives=2)
    dead = [QuintetPort(client.queue(queue)) for client in clients for queue in DEAD_LETTERS.values()]
    async with Prober(spread(clients), replace(LOAD, visibility=1.0, poison_every=10), dead) as prober:
        await strike(prober, Killer(seed(), pool.brokers, pool.redis), KILLS)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}
    assert len(prober.poisoned) > len(QUEUES)
    assert prober.poisoned - prober.ledger.dead_lettered == set()
