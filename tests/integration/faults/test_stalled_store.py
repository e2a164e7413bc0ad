"""A Redis that accepts connections and answers nothing: requests end, memory stays bounded, nothing is lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiohttp
import psutil
import pytest

from quintet.client import Client
from quintet_broker.engine.pool.ticker import PATIENCE
from quintet_broker.protocols.admission import HELD_BYTES
from quintet_broker.protocols.connections import UNFINISHED_BYTES
from tests.integration.faults.system import stopped
from tests.prober.ports import QuintetPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker, RedisServer

REFUSED_WITHIN = PATIENCE / 1000 + 20
"""Seconds, of which a busy machine may take some."""
MESSAGE = 1_000_000
COPIES = 5
"""Of a body that is held: itself, what was decoded of it, a record, and what the allocator does not give back."""
UNFINISHED_COPIES = 3
"""Of one that is not whole: its pieces, what they are put together to, and what the allocator does not give back."""


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
    async with contextlib.AsyncExitStack() as stack:
        with stopped(own_redis):
            # Some of these are in the write under way, the others wait for the next one.
            asked = [refusal(session, url, {"messages": [{"value": "late"}]}) for _ in range(20)]
            asked.append(refusal(session, f"{url}:receive", {"wait": "0s"}))
            refusals = asyncio.gather(*asked)
            prober = await stack.enter_async_context(
                Prober([QuintetPort(client.queue("orders"))], Load(rate=50, visibility=2.0))
            )
            for status, problem, seconds in await refusals:
                assert (status, problem) == (503, "Unavailable")
                assert seconds < REFUSED_WITHIN
        await prober.progress(20)
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}
    assert not prober.unanswered, "the client asks again, and has its answer in the end"


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
        await asyncio.gather(*(send() for _ in range(4 * HELD_BYTES // MESSAGE)))
    print(f"{overloaded=} {(peak - before) / HELD_BYTES=}")
    assert overloaded >= 2 * HELD_BYTES // MESSAGE
    assert peak - before < COPIES * HELD_BYTES + UNFINISHED_COPIES * UNFINISHED_BYTES
