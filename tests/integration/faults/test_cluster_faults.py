"""One fault after the other, of three brokers over a Redis Cluster whose messages are replicated, under the prober."""

import asyncio
import os
import random
from pathlib import Path

from tests.integration.faults.redundant import SHARD, System, running
from tests.integration.faults.system import seed, stopped
from tests.prober.prober import Load
from tests.redis_sets import ClusterSet, wait_until

LOAD = Load(rate=50, visibility=2.0)
ROUNDS = int(os.environ.get("FAULTS_ROUNDS", 1))
"""Each has every fault once."""
BETWEEN = 20
"""Messages that must go the whole way between two faults."""
RECOVERS_WITHIN = 60.0
"""Seconds."""


async def move_the_slot(system: System, redises: ClusterSet, chance: random.Random) -> None:
    others = [node for node in redises.primaries if node is not system.primary]
    await asyncio.to_thread(redises.move_slot, SHARD, chance.choice(others), pause=0.02)


async def hang(system: System, redises: ClusterSet, chance: random.Random) -> None:
    primary = system.primary
    with stopped(primary):
        await asyncio.to_thread(redises.wait_for_another, primary, SHARD)


async def fail_over(system: System, redises: ClusterSet, chance: random.Random) -> None:
    primary = system.primary
    primary.kill()
    await asyncio.to_thread(redises.wait_for_another, primary, SHARD)
    primary.launch()


async def kill_a_broker(system: System, redises: ClusterSet, chance: random.Random) -> None:
    broker = chance.choice(system.brokers)
    broker.kill()
    broker.launch()
    await asyncio.to_thread(broker.wait_until_up)


FAULTS = [move_the_slot, hang, fail_over, kill_a_broker]


async def test_nothing_that_is_replicated_is_lost(tmp_path: Path) -> None:
    chance = random.Random(seed())
    redises = ClusterSet(tmp_path, min_replicas_to_write="1")
    async with running(tmp_path, redises, "Replicated", LOAD, "Fifo", brokers=3) as system:
        await system.prober.progress(BETWEEN, RECOVERS_WITHIN)
        for _ in range(ROUNDS):
            for fault in chance.sample(FAULTS, len(FAULTS)):
                await fault(system, redises, chance)
                await system.prober.progress(BETWEEN, RECOVERS_WITHIN)
                # Another fault before there is a replica again could cost messages.
                await asyncio.to_thread(wait_until, redises.in_step, RECOVERS_WITHIN)
        verdict = await system.prober.finish()
    print(verdict)
    assert verdict.faults() == {}
