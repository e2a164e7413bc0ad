import uuid
from collections.abc import AsyncIterator

import pytest

import quintet
from tests.integration.websocket.raw import RawClient, connected
from tests.processes import Broker


@pytest.fixture
async def queue(broker: Broker) -> AsyncIterator[quintet.Queue]:
    """A new one, as the client sees it."""
    async with quintet.connect(broker.http_url) as client:
        name = f"ws-{uuid.uuid4().hex[:8]}"
        await client.create_queue(name)
        yield client.queue(name)


@pytest.fixture
async def raw(broker: Broker) -> AsyncIterator[RawClient]:
    async with connected(broker.http_url) as client:
        yield client
