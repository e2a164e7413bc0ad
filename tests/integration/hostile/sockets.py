"""Connections byte by byte, for what no client would send."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgpack

from tests.processes import Broker

WITHIN = 60.0
"""Seconds in which a broker answers or closes, on a busy machine too."""
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
FIN = 0x80
HELLO = (0, [1])


class Socket:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError where it was closed."""
        self.writer.write(data)
        await self.writer.drain()

    async def status(self) -> int:
        """Of the next answer, whose body is read; 0 where the connection was closed."""
        try:
            async with asyncio.timeout(WITHIN):
                head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = [
                    line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length")
                ]
                await self.reader.readexactly(int(length[0]) if length else 0)
                return int(head.split()[1])
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0

    async def closed(self) -> bytes:
        """What comes until it is closed."""
        found = b""
        try:
            async with asyncio.timeout(WITHIN):
                while data := await self.reader.read(65536):
                    found += data
        except ConnectionError:
            pass
        return found

    # WebSocket

    async def say(self, *elements: Any) -> None:
        await self.write(frame(msgpack.packb(elements)))

    async def hear(self) -> Any:
        """The next frame of the broker's, decoded; pings are passed over."""
        while True:
            opcode, body = await self.next_frame()
            if opcode == BINARY:
                return msgpack.unpackb(body)
            if opcode == CLOSE:
                raise ConnectionResetError(int.from_bytes(body[:2]), body[2:].decode())

    async def next_frame(self) -> tuple[int, bytes]:
        async with asyncio.timeout(WITHIN):
            try:
                first, length = await self.reader.readexactly(2)
                if length > 125:
                    length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8))
                return first & 15, await self.reader.readexactly(length)
            except asyncio.IncompleteReadError as error:
                raise ConnectionResetError("closed") from error


def frame(body: bytes, opcode: int = BINARY, fin: int = FIN) -> bytes:
    """A masked frame, whose mask changes nothing."""
    return head(len(body), opcode, fin) + body


def head(length: int, opcode: int = BINARY, fin: int = FIN) -> bytes:
    """Of a frame."""
    if length < 126:
        told = bytes([0x80 | length])
    elif length < 65536:
        told = b"\xfe" + length.to_bytes(2)
    else:
        told = b"\xff" + length.to_bytes(8)
    return bytes([fin | opcode]) + told + bytes(4)


def handshake(path: str = "/v1/connect", **headers: str) -> bytes:
    wanted = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    wanted.update({name.replace("_", "-"): value for name, value in headers.items()})
    return request("GET", path, wanted.items())


def request(method: str, path: str, headers: Iterable[tuple[str, str]] = (("Host", "x"),), body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def post(path: str, body: Any, **headers: str) -> bytes:
    """A request with a JSON body, or with bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Host": "x", "Content-Length": str(len(content))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return request("POST", path, given.items(), content)


@asynccontextmanager
async def connected(broker: Broker, port: str = "http_port") -> AsyncIterator[Socket]:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.settings[port])
    try:
        yield Socket(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def welcomed(broker: Broker) -> AsyncIterator[Socket]:
    """A WebSocket behind its welcome."""
    async with connected(broker) as socket:
        await socket.write(handshake())
        await socket.reader.readuntil(b"\r\n\r\n")
        await socket.say(*HELLO)
        await socket.hear()
        yield socket


@asynccontextmanager
async def many(
    count: int, broker: Broker, *, websocket: bool = False, port: str = "http_port"
) -> AsyncIterator[list[Socket]]:
    """So many connections, a hundred at a time."""
    async with AsyncExitStack() as stack:
        opened: list[Socket] = []
        for first in range(0, count, 100):
            some = (
                stack.enter_async_context(welcomed(broker) if websocket else connected(broker, port))
                for _ in range(first, min(count, first + 100))
            )
            opened += await asyncio.gather(*some)
        yield opened
