"""A broker that stands still longer than its lease: others take its shards, and when it wakes nothing of it counts."""

import time
from collections import defaultdict
from itertools import pairwise
from typing import Any, cast

from aiokafka.record.default_records import DefaultRecordBatch
from redis.asyncio import Redis

from quintet.client import Client
from tests.integration.faults.system import (
    BUSY,
    LEASE,
    QUEUES,
    SLACK,
    make_queues,
    named,
    owners,
    served,
    spread,
    stopped,
)
from tests.prober.prober import Load, Prober
from tests.processes import Pool

LOAD = Load(producers=18, consumers=18, rate=10, visibility=3.0)
"""So few messages that nothing is trimmed: each log can be read at the end."""
STEP = 100
TAKEN_WITHIN = LEASE + 2
"""Seconds."""


async def logs(url: str) -> dict[bytes, list[tuple[int, int, int]]]:
    """By shard: (base offset, records, epoch of its writer) of every stored batch, in the order of its log."""
    found = defaultdict(list)
    async with Redis.from_url(url) as redis:
        async for key in redis.scan_iter(match="{qt/*:seg:0:*"):
            for _, fields in cast(Any, await redis.xrange(key)):
                data = fields[b"b"]
                batch = DefaultRecordBatch(data)
                # https://kafka.apache.org/documentation/#recordbatch: partition leader epoch at byte 12
                stored = batch.base_offset, len(list(batch)), int.from_bytes(data[12:16])
                found[key.partition(b"}")[0]].append(stored)
    return {shard: sorted(batches) for shard, batches in found.items()}


async def test_an_owner_that_was_paused_delivers_and_writes_nothing(pool: Pool, clients: list[Client]) -> None:
    await make_queues(clients[0])
    slack = SLACK + BUSY * await served(clients)
    async with Prober(spread(clients), LOAD) as prober:
        await prober.progress(STEP)
        owner = named(pool, (await owners(pool.brokers[0]))[QUEUES[0]])
        others = [client for client, broker in zip(clients, pool.brokers, strict=True) if broker is not owner]
        with stopped(owner):
            began = time.monotonic()
            taken = await served(others)
            # What it was about to deliver is with others by the time at which it wakes.
            await prober.until(lambda: time.monotonic() - began > TAKEN_WITHIN + LOAD.visibility, within=60)
            await prober.progress(STEP)
        await prober.progress(STEP)
        verdict = await prober.finish()
    print(f"{verdict}\nothers served its shards {taken:.2f} s after it stood still")
    assert verdict.faults() == {}
    assert taken < TAKEN_WITHIN + slack

    for shard, log in (await logs(pool.redis.url)).items():
        epochs = [epoch for _, _, epoch in log]
        assert epochs == sorted(epochs), f"{shard!r}: a batch was stored behind one of a newer owner"
        for (base, records, _), (following, _, _) in pairwise(log):
            assert base + records <= following, f"{shard!r}: an offset was used twice"
