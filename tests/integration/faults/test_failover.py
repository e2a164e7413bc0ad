"""A primary is lost, and a replica that lags takes its place: by Sentinels, and in a Redis Cluster."""

import asyncio
import time
from pathlib import Path

import pytest

from quintet_broker.store.connection import TIMEOUT
from tests.integration.faults.redundant import SHARD, SOME, System, running
from tests.integration.faults.stored import Stored, rewritten
from tests.integration.faults.system import stopped
from tests.prober.ledger import Name
from tests.prober.prober import Load
from tests.redis_sets import ClusterSet, RedisNode, RedisSet, SentinelSet, cut_off, rejoin

LOAD = Load(producers=2, consumers=2, rate=100, visibility=1.0)
FINISHED_WITHIN = 8.0
"""Seconds, for which what is lost is waited for."""

each_kind = pytest.mark.parametrize("kind", [SentinelSet, ClusterSet])


async def fail_over(system: System, primary: RedisNode, replicas: list[RedisNode]) -> set[Name]:
    """The primary comes back once another one took its place. Returns what it may have been the only one to have."""
    primary.kill()
    # Some answers may be on their way.
    at_risk = system.unreceived | system.prober.ledger.unconfirmed
    await asyncio.to_thread(system.redises.wait_for_another, primary, SHARD)
    rejoin(replicas)
    primary.launch()
    return at_risk


def check_log(before: Stored, after: Stored) -> None:
    """No offset is used twice, on either side of a fail-over, and no hole goes unnoticed."""
    assert before.batches
    assert len(after.gaps) >= 1
    assert after.used_twice == []
    assert after.unnoticed == []
    assert rewritten(before, after) == []


@each_kind
async def test_what_the_replica_lacks_is_lost_and_nothing_else(tmp_path: Path, kind: type[RedisSet]) -> None:
    async with running(tmp_path, kind(tmp_path), "Fsync", LOAD) as system:
        await system.prober.progress(SOME)
        await system.stop_receiving()
        await system.send_some()
        primary = system.primary
        replicas = system.redises.replicas_of(primary)
        safe = system.unreceived
        cut_off(primary, replicas)
        await system.send_some()
        before = system.log()
        at_risk = await fail_over(system, primary, replicas) - safe
        await system.send_some()
        check_log(before, system.log())
        await system.until_told("a gap of offsets begins at")
        system.receive()
        await system.prober.progress(SOME)
        verdict = await system.prober.finish(FINISHED_WITHIN)
    print(verdict)
    assert verdict.faults().keys() == {"lost"}
    assert system.unreceived <= at_risk


@each_kind
async def test_what_is_replicated_is_never_lost(tmp_path: Path, kind: type[RedisSet]) -> None:
    """Redis itself would go on writing: what nobody waits for would be lost."""
    async with running(tmp_path, kind(tmp_path, min_replicas_to_write="0"), "Replicated", LOAD) as system:
        await system.prober.progress(SOME)
        await system.stop_receiving()
        await system.send_some()
        primary = system.primary
        replicas = system.redises.replicas_of(primary)
        cut_off(primary, replicas)
        await system.until_told("is not confirmed: 0 replicas")
        before = system.log()
        await fail_over(system, primary, replicas)
        await system.send_some()
        after = system.log()
        check_log(before, after)
        assert {batch.data for batch in before.batches} - {batch.data for batch in after.batches}
        system.receive()
        await system.prober.progress(SOME)
        verdict = await system.prober.finish(FINISHED_WITHIN)
    print(verdict)
    assert verdict.faults() == {}


async def test_a_primary_that_hangs_is_left(tmp_path: Path) -> None:
    """It ends no connection; when it goes on, others have its place, and it takes nothing any more."""
    async with running(tmp_path, SentinelSet(tmp_path), "Replicated", LOAD, brokers=3) as system:
        began = time.monotonic()
        await system.prober.progress(SOME)
        usual = time.monotonic() - began
        primary = system.primary
        with stopped(primary):
            began = time.monotonic()
            await asyncio.to_thread(system.redises.wait_for_another, primary, SHARD)
            await system.prober.progress(SOME)
            assert time.monotonic() - began < TIMEOUT + 2 * usual, "it was waited for"
        await system.prober.progress(SOME)
        verdict = await system.prober.finish(FINISHED_WITHIN)
    print(verdict)
    assert verdict.faults() == {}
