"""STOMP 1.2 by hand, for Artemis: receipts confirm what is sent, and each message is acknowledged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.clients.client import Client, Connection, Pair, connect
from tests.bench.flow import MESSAGE
from tests.bench.peers.artemis import Artemis

WINDOW = 2**20
"""Bytes that are delivered ahead."""


class Stomp(Connection):
    def __init__(self, queue: str) -> None:
        super().__init__()
        self._connected = False
        self._receipts: set[bytes] = set()
        body = MESSAGE.encode()
        self._message = (
            b"SEND\ndestination:%b\ndestination-type:ANYCAST\npersistent:true\nreceipt:m\ncontent-length:%d\n\n%b\0"
            % (queue.encode(), len(body), body)
        )

    async def open(self) -> None:
        self._tell(b"CONNECT", b"accept-version:1.2", b"host:localhost", b"heart-beat:0,0")
        await self.until(lambda: self._connected)

    async def subscribe(self, queue: str) -> None:
        window = b"consumer-window-size:%d" % WINDOW
        headers = (b"id:1", b"ack:client-individual", b"subscription-type:ANYCAST", window)
        self._tell(b"SUBSCRIBE", b"destination:" + queue.encode(), *headers, b"receipt:s")
        await self.until(lambda: b"s" in self._receipts)

    async def finish(self) -> None:
        self._tell(b"UNSUBSCRIBE", b"id:1", b"receipt:u")
        await self.until(lambda: b"u" in self._receipts)

    def publish(self, count: int) -> None:
        self.transport.write(self._message * count)

    def acknowledge(self, tokens: list[Any]) -> None:
        self.transport.write(b"".join([b"ACK\nid:%b\n\n\0" % identity for identity, _ in tokens]))

    def take(self, data: bytes) -> int:
        at = 0
        while True:
            while data[at : at + 1] in (b"\n", b"\r"):
                at += 1
            head_end = data.find(b"\n\n", at)
            if head_end < 0:
                return at
            command, *lines = data[at:head_end].replace(b"\r", b"").split(b"\n")
            headers = dict(line.split(b":", 1) for line in lines)
            begin = head_end + 2
            if b"content-length" in headers:
                after = begin + int(headers[b"content-length"])
                if after >= len(data):
                    return at
            else:
                after = data.find(b"\0", begin)
                if after < 0:
                    return at
            self._frame(command, headers, data[begin:after])
            at = after + 1

    def _frame(self, command: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        if command == b"RECEIPT":
            if headers[b"receipt-id"] == b"m":
                self.answer()
            else:
                self._receipts.add(headers[b"receipt-id"])
        elif command == b"MESSAGE":
            self.inbox.append((headers[b"ack"], body))
        elif command == b"CONNECTED":
            self._connected = True
        else:
            raise ConnectionError(f"Artemis refused: {headers!r} {body!r}")

    def _tell(self, command: bytes, *headers: bytes) -> None:
        self.transport.write(b"\n".join([command, *headers]) + b"\n\n\0")


@asynccontextmanager
async def stomp(server: Artemis, *, receive: bool = True) -> AsyncIterator[Client]:
    queue = server.new_name()
    producer, consumer = [await connect(server.port, lambda: Stomp(queue)) for _ in range(2)]
    await producer.open()
    await consumer.open()
    if receive:
        await consumer.subscribe(queue)
    pair = Pair(producer, consumer)
    yield pair
    pair.close()
