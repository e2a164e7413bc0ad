"""What a broker keeps in memory of a backlog that it reads: no more than the next of it."""

import asyncio

import psutil

from tests.bench.queues import queues
from tests.bench.system import System, running

COUNT = 200_000
MOST = 48 * 1024 * 1024
"""Bytes. Each message read would take 400 of them, so all take 80 MB."""


async def test_a_backlog_is_read_in_bounded_memory() -> None:
    with running("Fsync") as system:
        await backlog_is_read(system)


async def backlog_is_read(system: System) -> None:
    broker = psutil.Process(system.broker.pid)
    async with queues(system) as some:
        await some.fill(COUNT)
        before = broker.memory_info().rss
        peak = settled = 0

        async def consume() -> None:
            nonlocal peak, settled
            while settled < COUNT:
                count = await some.settle(1000)
                settled += count
                peak = max(peak, broker.memory_info().rss)

        await asyncio.gather(*(consume() for _ in range(4)))
    print(f"{(peak - before) / 1e6:.0f} MB more at most")
    assert settled == COUNT
    assert peak - before < MOST
