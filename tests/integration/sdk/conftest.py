import uuid
from collections.abc import AsyncIterator

import pytest

import quintet
from tests.processes import Broker


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
