"""A Redis and a broker, or three, for one test each, to be killed."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import quintet
from quintet.client import Client
from tests.processes import Broker, Pool, RedisServer


@pytest.fixture
def own_broker(tmp_path: Path, own_redis: RedisServer) -> Iterator[Broker]:
    broker = Broker(tmp_path, own_redis.url)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
async def client(own_broker: Broker) -> AsyncIterator[Client]:
    """Asks again until it has its answer, through every fault that these tests make."""
    async with quintet.connect(own_broker.http_url, timeout=60) as client:
        yield client


@pytest.fixture
async def hasty_client(own_broker: Broker) -> AsyncIterator[Client]:
    """Gives up soon."""
    async with quintet.connect(own_broker.http_url, timeout=2) as client:
        yield client


@pytest.fixture
async def clients(pool: Pool) -> AsyncIterator[list[Client]]:
    """One of each broker, asking again until it has its answer."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(quintet.connect(broker.http_url, timeout=60)) for broker in pool.brokers]
