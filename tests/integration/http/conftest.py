import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.integration.http.face import Face
from tests.processes import Broker


@pytest.fixture
async def face(broker: Broker) -> AsyncIterator[Face]:
    async with aiohttp.ClientSession() as session:
        face = Face(session, broker.http_url, f"http-{uuid.uuid4().hex[:8]}")
        assert (await face.ask("PUT", f"/v1/queues/{face.name}", {}))[0] == 200
        yield face
