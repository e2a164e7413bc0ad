"""Three brokers and their Redis are killed at random moments, under the prober, and brokers paused past their lease.

20 times by SIGKILL, or FAULTS_KILLS; pauses by SIGSTOP come on top.
"""

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

pytestmark = pytest.mark.timeout(300 + 20 * KILLS)


async def test_nothing_is_lost(pool: Pool, clients: list[Client]) -> None:
    await make_queues(clients[0])
    async with Prober(spread(clients), LOAD) as prober:
        killer = Killer(seed(), pool.brokers, pool.redis)
        await strike(prober, killer, KILLS)
        verdict = await prober.finish()
    print(f"{verdict}\n{killer.kills} kills, {killer.pauses} pauses")
    assert verdict.faults() == {}


async def test_dead_letters_move_between_brokers_once(pool: Pool, clients: list[Client]) -> None:
    await make_queues(clients[0], max_receives=2)
    dead = [QuintetPort(client.queue(queue)) for client in clients for queue in DEAD_LETTERS.values()]
    async with Prober(spread(clients), replace(LOAD, visibility=1.0, poison_every=10), dead) as prober:
        killer = Killer(seed(), pool.brokers, pool.redis)
        await strike(prober, killer, KILLS)
        await prober.finish()
        await prober.until_dead_lettered()
        verdict = prober.ledger.verdict()
    print(f"{verdict}\n{killer.kills} kills, {killer.pauses} pauses")
    assert verdict.faults() == {}
    assert len(prober.poisoned) > len(QUEUES)
