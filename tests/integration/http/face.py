"""/v1/ on the wire, as any HTTP client sees it."""

import asyncio
import base64
import json
from io import BytesIO
from typing import Any

import aiohttp

Json = dict[str, Any]


class Face:
    """One queue's paths, and requests without a client's help."""

    def __init__(self, session: aiohttp.ClientSession, base: str, name: str) -> None:
        self.session = session
        self.base = base
        self.name = name
        self.queue = f"{base}/v1/queues/{name}"

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """(status, JSON); a refusal is checked to be a problem document."""
        if body is not None:
            options["data"] = BytesIO(json.dumps(body).encode())
        async with self.session.request(method, self.base + path, **options) as response:
            answer: Any = await response.json(content_type=None) if await response.read() else None
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
                assert answer["status"] == response.status
                assert answer["type"].startswith("urn:quintet:problem:")
                assert answer["title"]
                assert answer["detail"]
            return response.status, answer

    async def verb(self, verb: str, body: Any) -> tuple[int, Any]:
        return await self.ask("POST", f"/v1/queues/{self.name}/messages{verb}", body)

    async def send(self, *messages: Json, **more: Any) -> tuple[int, Any]:
        return await self.verb("", {"messages": messages, **more})

    async def receive(self, **body: Any) -> list[Json]:
        status, answer = await self.verb(":receive", body)
        assert status == 200
        messages: list[Json] = answer["messages"]
        return messages

    async def receive_all(self, count: int) -> list[Json]:
        """So many messages, by as many receives as it takes: one may answer before lower priorities are read again."""
        found: list[Json] = []
        while len(found) < count:
            found += await self.receive(wait="20s")
        return found

    async def until_visible(self, count: int) -> None:
        async with asyncio.timeout(30):
            while (await self.ask("GET", f"/v1/queues/{self.name}"))[1]["counts"]["visible"] != count:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()
