"""Redis Streams by hand: what there is to win over the broker, for whoever writes all of it.

One entry a message, a consumer group; no visibility timeout, no dead letter, no limits, no access keys.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import hiredis

from tests.bench.clients.client import Client
from tests.bench.flow import MESSAGE
from tests.bench.system import System

pack: Callable[[tuple[str | int | bytes, ...]], bytes] = cast(Any, hiredis.pack_command)
"""A command's bytes. hiredis declares it for one word alone."""
GROUP = "all"
BATCH = 100
"""Messages of a read."""
CONSUMERS = 4
"""Connections that read: one that waits for messages does nothing else."""


class Resp(asyncio.Protocol):
    """Commands are answered in their order."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._asked: deque[tuple[int, list[Any], asyncio.Future[list[Any]]]] = deque()

    async def ask(self, commands: bytes, answers: int = 1) -> list[Any]:
        """Write commands that have so many answers. Raises the first that is an error."""
        answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked.append((answers, [], answered))
        self.transport.write(commands)
        return await answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            wanted, got, answered = self._asked[0]
            got.append(answer)
            if len(got) == wanted:
                self._asked.popleft()
                if not answered.done():
                    answered.set_result(got)

    def connection_lost(self, error: Exception | None) -> None:
        for _, _, answered in self._asked:
            if not answered.done():
                answered.set_exception(error or ConnectionError("Redis closed the connection."))


class Streams:
    """`multiple`: acknowledge all that was read by one XACK, else each by its own."""

    def __init__(self, stream: str, producer: Resp, consumers: list[Resp], multiple: bool) -> None:
        self._producer = producer
        self._idle = consumers
        self._multiple = multiple
        self._ack = ("XACK", stream, GROUP)
        self._message = pack(("XADD", stream, "*", "b", MESSAGE))
        group = ("XREADGROUP", "GROUP", GROUP, "one")
        self._read = pack((*group, "COUNT", BATCH, "BLOCK", 0, "STREAMS", stream, ">"))

    async def send(self, count: int) -> None:
        _checked(await self._producer.ask(self._message * count, count))

    async def settle(self) -> int:
        consumer = self._idle.pop()
        [[[_, entries]]] = _checked(await consumer.ask(self._read))
        ids = [identity for identity, _ in entries]
        each = [ids] if self._multiple else [[identity] for identity in ids]
        acks = [pack((*self._ack, *some)) for some in each]
        _checked(await consumer.ask(b"".join(acks), len(acks)))
        self._idle.append(consumer)
        return len(ids)

    async def finish(self) -> None:
        pass


def _checked(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


@asynccontextmanager
async def resp(system: System, *, multiple: bool = False) -> AsyncIterator[Client]:
    """On the Redis of a system, beside its idle broker."""
    stream, loop = system.new_name(), asyncio.get_running_loop()
    both = [await loop.create_unix_connection(Resp, str(system.redis.socket)) for _ in range(1 + CONSUMERS)]
    producer, *consumers = [connection for _, connection in both]
    created = pack(("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM"))
    _checked(await producer.ask(created))
    yield Streams(stream, producer, consumers, multiple)
    _checked(await producer.ask(pack(("UNLINK", stream))))
    for transport, _ in both:
        transport.abort()
