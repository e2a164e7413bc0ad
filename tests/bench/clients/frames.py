"""Our own protocol by hand (docs/protocol.md): each message and each acknowledgement in a frame of its own."""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from struct import pack, unpack_from
from typing import Any

import msgspec

from tests.bench.clients.client import Client, Connection, Pair, connect
from tests.bench.flow import MESSAGE
from tests.bench.queues import new_queue
from tests.bench.system import System

CREDIT = 1000
"""Messages delivered and not settled: a broker serves no more requests of a connection at a time."""
RECEIVE = 1
"""The id of the one receive."""
HELLO, SEND, RECEIVES, GRANT, ACKNOWLEDGE = 0, 1, 2, 3, 5
WELCOME, CONFIRM, SETTLED, DELIVER, REFUSED = 16, 17, 18, 19, 20
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
"""Kinds of a WebSocket's messages."""
FINAL = MASKED = 0x80
NO_MASK = bytes(4)
"""A mask that changes nothing: masking is for browsers, and costs Python more than the rest."""


def message(payload: bytes, kind: int = BINARY) -> bytes:
    """Of a WebSocket, with its head."""
    size = len(payload)
    if size < 126:
        head = pack(">BB", FINAL | kind, MASKED | size)
    elif size < 2**16:
        head = pack(">BBH", FINAL | kind, MASKED | 126, size)
    else:
        head = pack(">BBQ", FINAL | kind, MASKED | 127, size)
    return head + NO_MASK + payload


class Frames(Connection):
    def __init__(self, queue: str) -> None:
        super().__init__()
        self.queue = queue
        self._upgraded = False
        self._welcome = False
        self.id = RECEIVE
        record = msgspec.msgpack.encode([[MESSAGE.encode()]])
        self._behind_id = msgspec.msgpack.encode([queue, None, 0])[1:] + record

    async def open(self, host: str) -> None:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.transport.write(
            f"GET /v1/connect HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        await self.until(lambda: self._upgraded)
        self.tell(HELLO, [1])
        await self.until(lambda: self._welcome)

    def receive(self) -> None:
        self.tell(RECEIVES, RECEIVE, self.queue, CREDIT)

    def publish(self, count: int) -> None:
        begin = b"\x96\x01\xce"
        ids = range(self.id + 1, self.id + 1 + count)
        self.id += count
        self.transport.write(b"".join([message(begin + pack(">I", one) + self._behind_id) for one in ids]))

    async def settle(self) -> int:
        count = await super().settle()
        await self.answers(count)
        self.tell(GRANT, RECEIVE, count)
        return count

    def acknowledge(self, tokens: list[Any]) -> None:
        encode = msgspec.msgpack.encode
        ids = range(self.id + 1, self.id + 1 + len(tokens))
        self.id += len(tokens)
        frames = [encode([ACKNOWLEDGE, one, self.queue, [token]]) for one, (token, _) in zip(ids, tokens, strict=True)]
        self.transport.write(b"".join(map(message, frames)))

    def take(self, data: bytes) -> int:
        at = 0 if self._upgraded else self._take_head(data)
        while len(data) - at >= 2:
            kind, size, begin = data[at] & 15, data[at + 1], at + 2
            if size >= 126:
                length = 2 if size == 126 else 8
                if len(data) < begin + length:
                    break
                (size,) = unpack_from(">H" if length == 2 else ">Q", data, begin)
                begin += length
            if begin + size > len(data):
                break
            at = begin + size
            self._message(kind, data[begin:at])
        return at

    def _take_head(self, data: bytes) -> int:
        head, end, _ = data.partition(b"\r\n\r\n")
        if not end:
            return 0
        if b" 101 " not in head:
            raise ConnectionError(f"The broker refused a WebSocket: {head!r}")
        self._upgraded = True
        return len(head) + len(end)

    def _message(self, kind: int, payload: bytes) -> None:
        if kind == BINARY:
            self.frame(*msgspec.msgpack.decode(payload))
        elif kind == PING:
            self.transport.write(message(payload, PONG))
        elif kind == CLOSE:
            raise ConnectionError(f"The broker closed the connection: {payload!r}")

    def frame(self, tag: int, *elements: Any) -> None:
        if tag == CONFIRM:
            self.answer()
        elif tag == SETTLED:
            if any(elements[1]):
                raise ConnectionError(f"The broker did not settle: {elements!r}")
            self.answer()
        elif tag == DELIVER:
            self.inbox += [(found[1], found[2]) for found in elements[1]]
        elif tag == REFUSED:
            raise ConnectionError(f"The broker refused: {elements!r}")
        elif tag == WELCOME:
            self._welcome = True

    def tell(self, *elements: Any) -> None:
        self.transport.write(message(msgspec.msgpack.encode(elements)))


@asynccontextmanager
async def frames(system: System, make: type[Frames] = Frames, *, receive: bool = True) -> AsyncIterator[Client]:
    async with new_queue(system) as name:
        producer, consumer = [await connect(system.broker.settings["http_port"], lambda: make(name)) for _ in "12"]
        for connection in (producer, consumer):
            await connection.open(system.broker.http_url)
        if receive:
            consumer.receive()
        pair = Pair(producer, consumer)
        yield pair
        pair.close()
