"""Slots of a Redis Cluster move from node to node under load."""

import asyncio
from pathlib import Path

from tests.integration.faults.redundant import SHARD, SOME, running
from tests.prober.prober import Load
from tests.redis_sets import PRIMARIES, ClusterSet

LOAD = Load(producers=2, consumers=2, rate=50, visibility=3.0)
MOVES = 4
PAUSE = 0.05
"""Seconds between two keys of a slot that move: meanwhile its scripts find some of their keys here and some there."""


async def test_nothing_is_lost_and_order_stays(tmp_path: Path) -> None:
    redises = ClusterSet(tmp_path)
    async with running(tmp_path, redises, "Fsync", LOAD, "Fifo") as system:
        await system.prober.progress(SOME)
        first = redises.nodes.index(system.primary)
        for move in range(1, MOVES + 1):
            target = redises.nodes[(first + move) % PRIMARIES]
            await asyncio.to_thread(redises.move_slot, SHARD, target, PAUSE)
            assert system.primary is target
            await system.prober.progress(SOME // 4)
        stored = system.log()
        verdict = await system.prober.finish()
        told = system.told
    print(verdict)
    assert verdict.faults() == {}
    assert stored.used_twice == []
    assert told.count("its write was MOVING") >= MOVES
    assert "the store is lost" not in told, "other shards had to wait too"
