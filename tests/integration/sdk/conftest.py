import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import quintet
from tests.processes import Broker, RedisServer


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[quintet.Client]:
    async with quintet.connect(broker.http_url, timeout=10) as client:
        yield client


@pytest.fixture
async def queue(client: quintet.Client) -> quintet.Queue:
    """A new one."""
    name = f"sdk-{uuid.uuid4().hex[:8]}"
    await client.create_queue(name)
    return client.queue(name)


@pytest.fixture
def own_broker(tmp_path: Path, redis_server: RedisServer) -> Iterator[Broker]:
    """One that a test may kill."""
    broker = Broker(tmp_path, redis_server.url, prefix=uuid.uuid4().hex)
    broker.start()
    yield broker
    broker.stop()
