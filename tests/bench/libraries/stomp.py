"""Artemis by stomp.py, whose own thread hears what comes."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.clients.client import Client
from tests.bench.clients.stomp import WINDOW
from tests.bench.flow import MESSAGE
from tests.bench.libraries.library import library
from tests.bench.peers.artemis import Artemis


class StompPy:
    def __init__(self, connection: Any, queue: str) -> None:
        self._connection = connection
        self._headers = {"destination-type": "ANYCAST", "persistent": "true"}
        self._queue = queue
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._receipts: dict[str, asyncio.Future[None]] = {}
        self._inbox: asyncio.Queue[str] = asyncio.Queue()

    def on_receipt(self, frame: Any) -> None:
        # None asks for the one of a disconnect.
        if receipt := self._receipts.pop(frame.headers["receipt-id"], None):
            self._loop.call_soon_threadsafe(receipt.set_result, None)

    def on_message(self, frame: Any) -> None:
        self._loop.call_soon_threadsafe(self._inbox.put_nowait, frame.headers["ack"])

    async def send(self, count: int) -> None:
        for _ in range(count):
            number, receipt = str(next(self._numbers)), self._loop.create_future()
            self._receipts[number] = receipt
            self._connection.send(self._queue, MESSAGE, headers=self._headers, receipt=number)
            await receipt

    async def settle(self) -> int:
        self._connection.ack(await self._inbox.get())
        return 1

    async def finish(self) -> None:
        number, receipt = str(next(self._numbers)), self._loop.create_future()
        self._receipts[number] = receipt
        self._connection.unsubscribe("1", receipt=number)
        await receipt


@asynccontextmanager
async def stomp_client(server: Artemis) -> AsyncIterator[Client]:
    queue = server.new_name()
    connection = library("stomp").Connection12([("127.0.0.1", server.port)])
    client = StompPy(connection, queue)
    connection.set_listener("", client)
    connection.connect(wait=True)
    window = {"subscription-type": "ANYCAST", "consumer-window-size": str(WINDOW)}
    connection.subscribe(queue, id="1", ack="client-individual", headers=window)
    yield client
    connection.disconnect()
