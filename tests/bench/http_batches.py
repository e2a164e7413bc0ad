"""/v1/ without a client: what the broker can do where the client costs little."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import msgspec

from tests.bench.flow import MESSAGE, Run, flow
from tests.bench.system import System

BATCH = 100
CONNECTIONS = 32


@asynccontextmanager
async def http_batches(system: System) -> AsyncIterator[Run]:
    """JSON over HTTP, 100 messages a request."""
    url = f"{system.broker.http_url}/v1/queues/{system.new_name()}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def post(verb: str, body: bytes) -> Any:
            headers = {"Content-Type": "application/json"}
            async with session.post(
                f"{url}/messages{verb}", data=body, headers=headers, raise_for_status=True
            ) as answer:
                return msgspec.json.decode(await answer.read())

        async def send(count: int) -> None:
            await post("", msgspec.json.encode({"messages": [{"value": MESSAGE}] * count}))

        async def settle() -> int:
            received = await post(":receive", msgspec.json.encode({"limit": BATCH, "wait": "1s"}))
            receipts = [message["receipt"] for message in received["messages"]]
            if receipts:
                await post(":acknowledge", msgspec.json.encode({"receipts": receipts}))
            return len(receipts)

        await session.put(url, json={}, raise_for_status=True)
        half = CONNECTIONS // 2
        yield partial(flow, batch=BATCH, send=send, settle=settle, producers=half, consumers=half)
        await session.delete(url, raise_for_status=True)
