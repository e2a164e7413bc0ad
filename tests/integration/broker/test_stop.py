"""How a broker ends: in order on SIGTERM, and at once where a part of it cannot go on."""

import asyncio
import subprocess
import sys
import time

import aiohttp
import pytest

from tests.processes import Broker, Pool

FAULTY = """
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.pool.lease import Lease
from quintet_broker.services.catalogue import Catalogue
from quintet_broker.__main__ import main

def fail(*_):
    raise RuntimeError("planted")

{part} = fail
main()
"""
LONG_POLL = {"wait": "20s"}
QUEUES = 12
"""Of so many, each of three brokers owns some."""


async def test_a_long_poll_does_not_hold_up_the_end(own_broker: Broker) -> None:
    path = f"{own_broker.http_url}/v1/queues/orders"
    async with aiohttp.ClientSession() as session:
        await session.put(path, json={})
        polls = [asyncio.ensure_future(session.post(f"{path}/messages:receive", json=LONG_POLL)) for _ in range(3)]
        for _ in range(3):
            # Each of these connects and asks behind the polls, and is answered: so they are waiting.
            async with aiohttp.ClientSession() as later:
                await later.get(path)
        began = time.monotonic()
        assert await asyncio.to_thread(own_broker.stop) == 0
        assert time.monotonic() - began < 15
        for answer in await asyncio.gather(*polls):
            assert (answer.status, await answer.json()) == (200, {"messages": []})


async def test_nor_does_one_that_waits_at_another_broker(pool: Pool) -> None:
    """And it is answered all the same, not cut."""
    ends = pool.brokers[0]
    paths = [f"{ends.http_url}/v1/queues/orders-{number}" for number in range(QUEUES)]
    async with aiohttp.ClientSession() as session:
        owners = set()
        for path in paths:
            async with session.put(path, json={}) as made:
                owners.add((await made.json())["shards"][0]["owner"])
        assert len(owners) == len(pool.brokers)
        polls = [asyncio.ensure_future(session.post(f"{path}/messages:receive", json=LONG_POLL)) for path in paths]
        for path in paths:
            async with aiohttp.ClientSession() as later:
                await later.get(path)
        assert await asyncio.to_thread(ends.stop) == 0
        for answer in await asyncio.gather(*polls):
            assert (answer.status, await answer.json()) == (200, {"messages": []})


@pytest.mark.parametrize("part", ["Shard.collect", "Catalogue.load", "Lease._beat"])
async def test_a_broker_of_which_a_part_failed_ends(own_broker: Broker, part: str) -> None:
    async with aiohttp.ClientSession() as session:
        await session.put(f"{own_broker.http_url}/v1/queues/orders", json={})
    own_broker.stop()
    # It ticks the queue's shard as soon as it has read that there is one.
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FAULTY.format(part=part)],
        env=own_broker.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "RuntimeError: planted" in done.stderr
