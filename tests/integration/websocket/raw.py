"""A client of the protocol that knows nothing but docs/protocol.md: aiohttp's WebSocket and MessagePack."""

import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgpack

HELLO, SEND, RECEIVE, CREDIT, CANCEL, ACKNOWLEDGE, RELEASE, EXTEND, SEND_BATCH = range(9)
WELCOME, CONFIRM, SETTLED, DELIVER, REFUSED, MOVED, DELIVER_BATCHES, STORED = range(16, 24)
WITHIN = 60.0
"""Seconds in which the broker says something, on a busy machine too."""


class Closed(Exception):
    """The broker closed the connection, with (code, reason)."""


class RawClient:
    """One connection, behind its welcome."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.moved: dict[str, str] = {}
        """Addresses of queues that are another broker's, as told."""
        self._ids = itertools.count(1)

    async def say(self, *elements: Any) -> None:
        await self.socket.send_bytes(msgpack.packb(elements))

    async def hear(self) -> list[Any]:
        """The next frame but for `moved`, which are noted. Raises Closed."""
        while True:
            message = await self.socket.receive(WITHIN)
            if message.type != aiohttp.WSMsgType.BINARY:
                raise Closed(message.data, message.extra)
            frame: list[Any] = msgpack.unpackb(message.data)
            if frame[0] != MOVED:
                return frame
            self.moved[frame[1]] = frame[2]

    async def ask(self, tag: int, *elements: Any) -> list[Any]:
        """The answer to a request, behind its tag and id; nothing else is under way."""
        number = next(self._ids)
        await self.say(tag, number, *elements)
        answer = await self.hear()
        assert answer[1] == number
        return answer

    async def send(self, queue: str, values: list[bytes], producer: int | None = None, sequence: int = 0) -> list[str]:
        """Ids."""
        answer = await self.ask(SEND, queue, producer, sequence, [[value] for value in values])
        assert answer[0] == CONFIRM, answer
        ids: list[str] = answer[2]
        return ids

    async def receive(self, queue: str, credit: int, *, once: bool = False, wait: int | None = None) -> int:
        """Open a receive; its number."""
        number = next(self._ids)
        await self.say(RECEIVE, number, queue, credit, once, wait)
        return number

    async def pull_batches(self, queue: str, limit: int) -> list[Any]:
        """What is delivered together, waiting up to 10 seconds for the first."""
        await self.say(RECEIVE, next(self._ids), queue, limit, True, 10_000, None, None, None, True)
        tag, _, together, _ = await self.hear()
        assert tag == DELIVER_BATCHES
        found: list[Any] = together
        return found

    async def pull(self, queue: str, limit: int) -> list[Any]:
        """Messages, waiting up to 10 seconds for the first."""
        await self.receive(queue, limit, once=True, wait=10_000)
        tag, _, messages, is_open = await self.hear()
        assert (tag, is_open) == (DELIVER, False)
        found: list[Any] = messages
        return found


@asynccontextmanager
async def connected(url: str, credentials: tuple[str, str] | None = None) -> AsyncIterator[RawClient]:
    async with unwelcomed(url, credentials) as client:
        await client.say(HELLO, [1])
        assert (await client.hear())[:2] == [WELCOME, 1]
        yield client


@asynccontextmanager
async def unwelcomed(url: str, credentials: tuple[str, str] | None = None) -> AsyncIterator[RawClient]:
    """Before anything was said."""
    headers = {}
    if credentials:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(credentials).encode()).decode()
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{url}/v1/connect", max_msg_size=0) as socket,
    ):
        yield RawClient(socket)
