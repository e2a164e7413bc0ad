"""The broker that `quintet up` starts: how it is run, and what is asked of it over HTTP."""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from quintet.embedded.errors import CannotRun
from quintet_api.topology import Entry, TopologyDocument, TopologyStatus

COMMAND = (sys.executable, "-m", "quintet_broker")
ANSWERS_WITHIN = 15.0
"""Seconds, in which a broker or a Redis that ended is started again."""
RETRY_EVERY = 0.05
"""Seconds."""


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Fields of the broker's Settings as the variables that it reads."""
    return {f"QUINTET_{name.upper()}": str(value) for name, value in settings.items()}


class Broker:
    """A running broker, asked with the token of its admin port and the pool's access key."""

    def __init__(self, session: aiohttp.ClientSession, http: str, admin: str, token: str, key: tuple[str, str]) -> None:
        self._session = session
        self._http = http
        self._admin = admin
        self._token = f"Bearer {token}"
        self._key = f"Basic {base64.b64encode(':'.join(key).encode()).decode()}"

    async def is_up(self) -> bool:
        """Whether it serves, with its store connected."""
        try:
            async with self._session.get(f"{self._admin}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def put(self, entries: list[Entry]) -> TopologyStatus:
        """Make these the declared objects; what it refuses is in the answer. Raises CannotRun."""
        url = f"{self._admin}/admin/v1/topology"
        before = TopologyStatus.model_validate_json(await self._ask("GET", url, self._token))
        # Above what the broker holds, and so above all of the runs before.
        document = TopologyDocument(revision=(0, before.revision[1] + 1), entries=entries)
        answer = await self._ask("PUT", url, self._token, document.model_dump_json(by_alias=True).encode())
        return TopologyStatus.model_validate_json(answer)

    async def queues(self) -> list[dict[str, Any]]:
        """All queues of the pool with their counts, as /v1/ tells them. Raises CannotRun."""
        found: list[dict[str, Any]] = json.loads(await self._ask("GET", f"{self._http}/v1/queues", self._key))["queues"]
        return found

    async def delete_queue(self, name: str) -> None:
        """Delete a queue that was made at run time. Raises CannotRun."""
        await self._ask("DELETE", f"{self._http}/v1/queues/{name}", self._key)

    async def _ask(self, method: str, url: str, authorization: str, data: bytes | None = None) -> bytes:
        deadline = time.monotonic() + ANSWERS_WITHIN
        while True:
            try:
                async with self._session.request(
                    method, url, data=data, headers={"Authorization": authorization}
                ) as response:
                    body = await response.read()
                if response.ok:
                    return body
                problem = json.loads(body)["detail"]
                retry = response.status == 503
            except aiohttp.ClientError as error:
                problem, retry = str(error), True
            if not retry or time.monotonic() > deadline:
                raise CannotRun(f"the broker: {problem}")
            await asyncio.sleep(RETRY_EVERY)
