"""A Redis at its memory limit refuses what adds to it, can be drained, and takes messages again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from redis.asyncio import Redis

from quintet.client import Client
from quintet.errors import PoolFull
from tests.prober.ports import GatedPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker, RedisServer

MEMORY = 24 * 1024 * 1024
MESSAGE = 50_000
DELAY = 10
"""Seconds."""


async def test_a_full_pool_drains(own_broker: Broker, own_redis: RedisServer, hasty_client: Client) -> None:
    if own_redis.version < (7,):
        pytest.skip("Redis before 7 has no flag for scripts that free memory, and is used without a limit")
    await hasty_client.create_queue("orders")
    port = GatedPort(hasty_client.queue("orders"))
    async with (
        Redis.from_url(own_redis.url) as redis,
        Prober([port], Load(size=MESSAGE, visibility=2.0)) as prober,
    ):
        await redis.config_set("maxmemory", MEMORY)
        await prober.until(lambda: prober.unanswered > 20, within=60)
        assert prober.ledger.confirmed > MEMORY // MESSAGE // 2
        with pytest.raises(PoolFull):
            await hasty_client.queue("orders").send("x")
        # From here on Redis refuses every script but those that say that they free memory.
        await redis.config_set("maxmemory", MEMORY // 2)
        port.gate.set()
        await prober.progress(MEMORY // MESSAGE)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}


async def fill(client: Client, name: str) -> int:
    """Send until the pool is full; how many messages there were."""
    sent = 0
    while True:
        answers = await asyncio.gather(
            *(client.queue(name).send(bytes(MESSAGE)) for _ in range(10)), return_exceptions=True
        )
        sent += sum(isinstance(answer, str) for answer in answers)
        if any(isinstance(answer, PoolFull) for answer in answers):
            return sent


async def drain(client: Client, name: str, count: int) -> list[bytes]:
    """Receive and acknowledge so many messages; their values."""
    values: list[bytes] = []
    while len(values) < count:
        received = await client.queue(name).receive_batch(100, wait=10)
        assert received, f"{count - len(values)} of {count} messages are missing"
        await asyncio.gather(*(message.acknowledge() for message in received))
        values += [message.value for message in received]
    return values


@pytest.fixture
async def full_at(own_redis: RedisServer) -> AsyncIterator[Callable[[int], Awaitable[object]]]:
    """Sets the memory at which Redis is full."""
    if own_redis.version < (7,):
        pytest.skip("Redis before 7 has no flag for scripts that free memory, and is used without a limit")
    async with Redis.from_url(own_redis.url) as redis:
        yield partial(redis.config_set, "maxmemory")


async def test_delayed_messages_come_once_there_is_room(
    client: Client, hasty_client: Client, full_at: Callable[[int], Awaitable[object]]
) -> None:
    await client.create_queue("orders")
    sent = MEMORY // MESSAGE
    await asyncio.gather(*(client.queue("orders").send(bytes(MESSAGE)) for _ in range(sent)))
    late = [b"late %d" % number for number in range(10)]
    due = time.monotonic() + DELAY
    await asyncio.gather(*(client.queue("orders").send(value, delay=DELAY) for value in late))
    # Redis is now far beyond its limit, and the delayed messages will be due.
    await full_at(MEMORY // 2)
    sent += await fill(hasty_client, "orders")
    await asyncio.sleep(due - time.monotonic())
    assert (await client.queue("orders").info()).counts.delayed == 10
    values = await drain(client, "orders", sent + 10)
    # Those whose sends had no answer in time may be among them.
    values += [message.value for message in await client.queue("orders").receive_batch(100, wait=2)]
    assert sorted(value for value in values if len(value) < MESSAGE) == late


async def test_dead_letters_come_once_there_is_room(
    client: Client, hasty_client: Client, full_at: Callable[[int], Awaitable[object]]
) -> None:
    await client.create_queue("dead")
    await client.create_queue("orders", {"deadLetter": {"queue": "dead", "maxReceives": 1}})
    poison = [b"poison %d" % number for number in range(10)]
    for value in poison:
        await client.queue("orders").send(value)
    await full_at(MEMORY)
    sent = await fill(hasty_client, "orders")
    await full_at(MEMORY // 2)
    released = 0
    while released < len(poison):
        for message in await client.queue("orders").receive_batch(len(poison) - released, wait=1):
            await message.release()
            released += 1
    assert await client.queue("dead").receive_batch(10, wait=1) == [], "there is room for dead letters"
    await drain(client, "orders", sent)
    assert sorted(await drain(client, "dead", 10)) == poison
