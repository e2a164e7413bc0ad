"""The brokers that `quintet up` starts: how they are run, and the operator's side of their admin ports."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from quintet.embedded.errors import CannotRun
from quintet_api.environment import variable
from quintet_api.topology import Entry, TopologyDocument, TopologyStatus

COMMAND = (sys.executable, "-m", "quintet_broker")
ANSWERS_WITHIN = 15.0
"""Seconds, in which a broker or a Redis that ended is started again."""
RETRY_EVERY = 0.05
"""Seconds."""


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Fields of the broker's Settings as the variables that it reads."""
    return {variable(name): str(value) for name, value in settings.items()}


class BrokerAdmin:
    """The admin ports of all brokers of a pool, each of which gives the same answers: one that answers is asked."""

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str], token: str) -> None:
        self._session = session
        self._urls = deque(urls)
        """The one that is asked first."""
        self.brokers = len(urls)
        self._headers = {"Authorization": f"Bearer {token}"}

    async def is_up(self, url: str) -> bool:
        """Whether one of them serves, with its store connected."""
        try:
            async with self._session.get(f"{url}/readyz") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def put(self, entries: list[Entry]) -> TopologyStatus:
        """Make these the declared objects; what is refused is in the answer. Raises CannotRun."""
        before = await self.get()
        # Above what the brokers hold, and so above all runs before.
        document = TopologyDocument(revision=(0, before.revision[1] + 1), entries=entries)
        return await self._topology("PUT", document.model_dump_json(by_alias=True).encode())

    async def get(self) -> TopologyStatus:
        """What the pool holds. Raises CannotRun."""
        return await self._topology("GET")

    async def _topology(self, method: str, data: bytes | None = None) -> TopologyStatus:
        deadline = time.monotonic() + ANSWERS_WITHIN
        while True:
            status, answer = await self._ask(method, data)
            if status == 200:
                return TopologyStatus.model_validate_json(answer)
            if status not in (None, 503) or time.monotonic() > deadline:
                raise CannotRun(f"the broker does not take its topology: {answer.decode(errors='replace')}")
            self._urls.rotate(-1)
            await asyncio.sleep(RETRY_EVERY)

    async def _ask(self, method: str, data: bytes | None) -> tuple[int | None, bytes]:
        """Status and body; no status where there was no answer."""
        url = f"{self._urls[0]}/admin/v1/topology"
        try:
            async with self._session.request(method, url, data=data, headers=self._headers) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return None, str(error).encode()
