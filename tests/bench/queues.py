"""Queues over /v1/ without a client: what the other benchmarks fill, empty and watch."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from tests.bench.system import System

BATCH = 100
FILLERS = 8
"""Requests under way while queues are filled."""
Message = dict[str, Any]
"""As /v1/ delivers it."""


class Queues:
    """Some queues of one broker, used in turn."""

    def __init__(self, session: aiohttp.ClientSession, urls: list[str], value: str) -> None:
        self._urls = urls
        self._session = session
        self._value = value
        self._sending, self._receiving = itertools.cycle(urls), itertools.cycle(urls)
        # With one there is always something to wait for.
        self._wait = "1s" if len(urls) == 1 else "0s"

    async def send(self, count: int) -> None:
        """So many to the next queue."""
        await self.send_values([self._value] * count)

    async def send_values(self, values: Sequence[str]) -> None:
        """These to the next queue."""
        await self._post(next(self._sending), {"messages": [{"value": value} for value in values]})

    async def receive(self, limit: int) -> list[Message]:
        """Of the next queue."""
        return await self._receive(next(self._receiving), limit)

    async def settle(self, limit: int, note: Callable[[list[Message]], None] = lambda _: None) -> int:
        """Receive from the next queue, note what came, and acknowledge it."""
        url = next(self._receiving)
        messages = await self._receive(url, limit)
        note(messages)
        if messages:
            await self._post(f"{url}:acknowledge", {"receipts": [message["receipt"] for message in messages]})
        return len(messages)

    async def fill(self, count: int) -> None:
        """Let so many messages wait."""
        await repeat(count // BATCH, lambda: self.send(BATCH), FILLERS)

    async def waiting(self) -> int:
        """How many messages there are: visible, in flight or delayed."""
        found = 0
        for url in self._urls:
            async with self._session.get(url.removesuffix("/messages")) as answer:
                found += sum((await answer.json())["counts"].values())
        return found

    async def _receive(self, url: str, limit: int) -> list[Message]:
        return list((await self._post(f"{url}:receive", {"limit": limit, "wait": self._wait}))["messages"])

    async def _post(self, url: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(url, data=msgspec.json.encode(body), headers=headers) as answer:
            return msgspec.json.decode(await answer.read())


async def repeat(times: int, verb: Callable[[], Awaitable[Any]], at_once: int) -> None:
    calls = iter(range(times))

    async def work() -> None:
        for _ in calls:
            await verb()

    await asyncio.gather(*(work() for _ in range(at_once)))


@asynccontextmanager
async def queues(
    system: System, count: int = 1, connections: int = 32, value: str = "x" * 100, **spec: Any
) -> AsyncIterator[Queues]:
    """New ones, with messages of that value."""
    connector = aiohttp.TCPConnector(limit=connections)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, raise_for_status=True) as session:
        urls = [f"{system.broker.http_url}/v1/queues/{system.new_name()}" for _ in range(count)]
        made = iter(urls)

        async def make() -> None:
            await (await session.put(next(made), json=spec)).read()

        await repeat(count, make, connections)
        yield Queues(session, [f"{url}/messages" for url in urls], value)


@asynccontextmanager
async def new_queue(system: System, **spec: Any) -> AsyncIterator[str]:
    """The name of a new one, which goes again."""
    url = f"{system.broker.http_url}/v1/queues/{(name := system.new_name())}"
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await session.put(url, json=spec)
        yield name
        await session.delete(url)
