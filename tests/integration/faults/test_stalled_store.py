"""A Redis that accepts connections and answers nothing: requests end, memory stays bounded, nothing is lost."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import psutil
import pytest

from quintet.client import Client
from quintet_broker.engine.shard import WAITING_BYTES
from quintet_broker.engine.ticker import PATIENCE
from tests.integration.faults.system import stopped
from tests.prober.ports import QuintetPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker, RedisServer

REFUSED_WITHIN = PATIENCE / 1000 + 3
"""Seconds."""
MESSAGE = 1_000_000
COPIES = 4
"""Of a waiting message: the request's body, its text, its record, and what the allocator does not give back."""


async def refusal(session: aiohttp.ClientSession, url: str, body: object) -> tuple[int, str, float]:
    """(status, problem type, seconds until it came)."""
    asked = time.monotonic()
    async with session.post(url, json=body) as response:
        problem = await response.json()
        assert "Retry-After" in response.headers
        return response.status, problem["type"].rpartition(":")[2], time.monotonic() - asked


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def test_requests_end_and_nothing_is_lost(
    own_broker: Broker, own_redis: RedisServer, client: Client, session: aiohttp.ClientSession
) -> None:
    await client.create_queue("orders")
    await client.create_queue("others")
    url = f"{own_broker.http_url}/v1/queues/others/messages"
    load = Load(producers=4, consumers=1, visibility=3.0)
    async with Prober([QuintetPort(client.queue("orders"))], load) as prober:
        await prober.progress(20)
        with stopped(own_redis):
            refusals = await asyncio.gather(
                refusal(session, url, {"messages": [{"value": "late"}]}),
                refusal(session, f"{url}:receive", {"wait": "0s"}),
                # Those in the write under way too: each of the five workers is refused once in this time.
                prober.until(lambda: prober.unanswered >= load.producers + load.consumers, within=REFUSED_WITHIN),
            )
        await prober.progress(20)
        verdict = await prober.finish()
    print(verdict, refusals)
    for status, problem, seconds in refusals[:2]:
        assert (status, problem) == (503, "Unavailable")
        assert seconds < REFUSED_WITHIN
    assert verdict.faults() == {}


async def test_memory_is_bounded(
    own_broker: Broker, own_redis: RedisServer, client: Client, session: aiohttp.ClientSession
) -> None:
    await client.create_queue("orders")
    url = f"{own_broker.http_url}/v1/queues/orders/messages"
    broker = psutil.Process(own_broker.pid)
    before = broker.memory_info().rss
    body = {"messages": [{"value": "x" * MESSAGE}]}
    overloaded = 0
    peak = 0

    async def send() -> None:
        nonlocal overloaded, peak
        status, problem, _ = await refusal(session, url, body)
        peak = max(peak, broker.memory_info().rss)
        overloaded += (status, problem) == (503, "Overloaded")

    with stopped(own_redis):
        await asyncio.gather(*(send() for _ in range(4 * WAITING_BYTES // MESSAGE)))
    print(f"{overloaded=} {(peak - before) / WAITING_BYTES=}")
    assert overloaded >= 2 * WAITING_BYTES // MESSAGE
    assert peak - before < COPIES * WAITING_BYTES
