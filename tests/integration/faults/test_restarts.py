"""Brokers that come and go in order: a rolling restart, and a pool that grows and shrinks again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

import quintet
from quintet.client import Client
from tests.integration.faults.system import QUEUES, make_queues, owners, ports, served, spread
from tests.prober.ports import RoamingPort
from tests.prober.prober import Load, Prober
from tests.processes import Pool

LOAD = Load(producers=18, consumers=18, rate=10, visibility=4.0)
"""One of each for each port that QUEUES have at three brokers."""
STEP = 100
"""Messages that must go the whole way before the next thing is done."""
HIDDEN_FOR_GOOD = 600.0
"""Seconds: what is delivered and does not arrive is lost, for as long as a test waits."""
LONG_LEASE = 180.0
"""Seconds: more than twice a queue's visibility timeout, after which a message comes again whose answer was lost."""
GROWS_WITHIN = 60.0
"""Seconds until each broker has its part of the shards."""


@pytest.mark.parametrize("between", [STEP, 0], ids=["in turn", "as soon as one is back"])
async def test_a_rolling_restart_is_not_noticed(pool: Pool, clients: list[Client], between: int) -> None:
    """`between`: messages that go the whole way before the next broker ends; without any it may not have heard of the
    one that came back."""
    await make_queues(clients[0])
    # What a consumer got just before its broker ended is acknowledged through the same one, when it is back.
    async with Prober(spread(clients), replace(LOAD, visibility=HIDDEN_FOR_GOOD)) as prober:
        await prober.progress(STEP)
        for broker in pool.brokers:
            assert await asyncio.to_thread(broker.stop) == 0
            await prober.progress(STEP)
            await asyncio.to_thread(broker.start)
            await prober.progress(between)
        await prober.progress(STEP)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}
    assert not prober.unanswered
    assert not verdict.redelivered


async def test_what_a_broker_owned_is_handed_over_when_it_ends(tmp_path: Path) -> None:
    pool = Pool(tmp_path, lease=LONG_LEASE)
    pool.start()
    took = 0.0
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(quintet.connect(one.http_url, timeout=60)) for one in pool.brokers]
        await make_queues(clients[0])
        for broker in pool.brokers:
            others = [client for client, one in zip(clients, pool.brokers, strict=True) if one is not broker]
            ending = asyncio.create_task(asyncio.to_thread(broker.stop))
            while not ending.done():
                took = max(took, await served(others))
            await asyncio.to_thread(broker.start)
    pool.kill()
    print(f"at most {took:.2f} s until it was served")
    assert took < LONG_LEASE / 2, "a lease had to end first"


@pytest.fixture
def growing(tmp_path: Path) -> Pool:
    """Only its first broker runs."""
    pool = Pool(tmp_path)
    pool.redis.start()
    pool.brokers[0].start()
    return pool


@pytest.fixture
async def hasty(growing: Pool) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(quintet.connect(one.http_url, timeout=2)) for one in growing.brokers]


async def test_a_pool_grows_and_shrinks(growing: Pool, hasty: list[Client]) -> None:
    async with quintet.connect(growing.brokers[0].http_url, timeout=60) as client:
        await make_queues(client)
    roaming = [
        RoamingPort(ports(queue, [*hasty[turn:], *hasty[:turn]])) for queue in QUEUES for turn in range(len(hasty))
    ]
    first, *others = growing.brokers
    async with Prober(roaming, LOAD) as prober:
        await prober.progress(STEP)
        for broker in others:
            await asyncio.to_thread(broker.start)
            await prober.progress(STEP)
        deadline = time.monotonic() + GROWS_WITHIN
        while len(set((await owners(first)).values())) < 3:
            assert time.monotonic() < deadline, await owners(first)
            await asyncio.sleep(0.05)
        await prober.progress(STEP)
        for broker in reversed(others):
            assert await asyncio.to_thread(broker.stop) == 0
            await prober.progress(STEP)
        assert set((await owners(first)).values()) == {"broker-0"}
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}
    growing.kill()
