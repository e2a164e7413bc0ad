"""An owner that is paused past its lease: another takes over, and the fence lets only one write at a time."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from aiokafka.record.default_records import DefaultRecordBatch
from redis.asyncio import Redis

import quintet
from quintet.client import Client
from tests.integration.faults.system import stopped
from tests.prober.ports import QuintetPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker, RedisServer


async def batches(url: str) -> list[tuple[int, int, int]]:
    """(base offset, records, epoch of its writer) of every stored batch of the only log, in the order of its log."""
    async with Redis.from_url(url) as redis:
        keys = [key async for key in redis.scan_iter(match="{qt/*:seg:0:*")]
        stored: list[bytes] = [fields[b"b"] for key in keys for _, fields in cast(Any, await redis.xrange(key))]
    parsed = [(data, DefaultRecordBatch(data)) for data in stored]
    # https://kafka.apache.org/documentation/#recordbatch: partition leader epoch at byte 12
    return sorted((batch.base_offset, len(list(batch)), int.from_bytes(data[12:16])) for data, batch in parsed)


async def test_a_paused_owner_writes_nothing_under_its_old_epoch(
    own_broker: Broker, own_redis: RedisServer, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Broker(tmp_path / "other", own_redis.url, pod_name="broker-1")
    await client.create_queue("orders")
    # So few that nothing is trimmed: the whole log can be read at the end.
    load = Load(rate=50, visibility=3.0)
    async with (
        quintet.connect(other.http_url, timeout=60) as other_client,
        Prober([QuintetPort(one.queue("orders")) for one in (client, other_client)], load) as prober,
    ):
        await prober.progress(20)
        with stopped(own_broker):
            await asyncio.to_thread(other.start)
            await prober.progress(50)
        await prober.progress(200)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}

    log = await batches(own_redis.url)
    assert sum(records for _, records, _ in log) >= verdict.confirmed
    epochs = [epoch for _, _, epoch in log]
    assert len(set(epochs)) > 1
    assert epochs == sorted(epochs), "a batch was stored behind one of a newer owner"
    for (base, records, _), (following, _, _) in pairwise(log):
        assert base + records <= following, "an offset was used twice"
    other.stop()
