"""Others: a client that means well, served beside those that do not, and what the broker uses meanwhile."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import psutil

from tests.processes import Broker

MIB = 1024 * 1024
SERVED_WITHIN = 60.0
"""Seconds for what takes milliseconds."""


class Others:
    """Sends, receives and acknowledges, one message at a time, from `start` to `stop`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._process = psutil.Process(broker.pid)
        self._queue = f"{broker.http_url}/v1/queues/others"
        self._served = 0
        self._logged = broker.log.stat().st_size
        self._task: asyncio.Task[None] | None = None
        self.most = 48 * MIB
        """Bytes by which the broker may grow."""
        self._before = 0

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        await self.served()
        self._before = self._process.memory_info().rss

    async def served(self, rounds: int = 3) -> None:
        """So many messages more go their way now, in bounded memory."""
        wanted = self._served + rounds
        async with asyncio.timeout(SERVED_WITHIN):
            while self._served < wanted:
                assert self._task
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.005)
        if self._before:
            self.check_memory()

    def check_memory(self) -> None:
        grown = self.grown()
        assert grown < self.most, f"{grown / MIB:.0f} MiB more"

    def grown(self) -> int:
        return self._process.memory_info().rss - self._before

    async def stop(self) -> None:
        """Checks that the broker is as it was."""
        await self.served()
        assert self._task
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        assert self._broker.running
        logged = self._broker.log.read_bytes()[self._logged :].decode(errors="replace")
        assert "Traceback" not in logged, logged[:4000]
        assert len(logged) < 100_000, logged[:4000]

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            await self._ask(session, "PUT", "", {})
            while True:
                await self._ask(session, "POST", "/messages", {"messages": [{"value": "mine"}]})
                answer = await self._ask(session, "POST", "/messages:receive", {"wait": "20s"})
                receipts = [message["receipt"] for message in answer["messages"]]
                if receipts:
                    await self._ask(session, "POST", "/messages:acknowledge", {"receipts": receipts})
                    self._served += 1

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str, body: Any) -> Any:
        async with session.request(method, self._queue + path, json=body) as response:
            answer = await response.json()
            assert response.status < 300, answer
            return answer
