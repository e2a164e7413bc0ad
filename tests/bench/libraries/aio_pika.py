"""RabbitMQ by aio-pika."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from tests.bench.clients.amqp import PREFETCH
from tests.bench.clients.client import Client
from tests.bench.flow import MESSAGE
from tests.bench.libraries.library import library
from tests.bench.peers.rabbitmq import RabbitMQ


class AioPika:
    def __init__(self, channel: Any, queue: str, message: Callable[[bytes], Any]) -> None:
        self._exchange = channel.default_exchange
        self._channel = channel
        self._queue = queue
        self._message = message
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()

    async def send(self, count: int) -> None:
        for _ in range(count):
            await self._exchange.publish(self._message(MESSAGE.encode()), routing_key=self._queue)

    async def settle(self) -> int:
        await (await self.inbox.get()).ack()
        return 1

    async def finish(self) -> None:
        # Answered behind the acknowledgements.
        await self._channel.set_qos(PREFETCH)


@asynccontextmanager
async def aio_pika_client(server: RabbitMQ, *, kind: str, receive: bool = True) -> AsyncIterator[Client]:
    """`kind`: classic or quorum."""
    aio_pika = library("aio_pika")
    name, durable = server.new_name(), server.durability == "Fsync"
    async with await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{server.port}/") as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.set_qos(PREFETCH)
        queue = await channel.declare_queue(name, durable=durable, arguments={"x-queue-type": kind})
        mode = aio_pika.DeliveryMode.PERSISTENT if durable else aio_pika.DeliveryMode.NOT_PERSISTENT
        client = AioPika(channel, name, partial(aio_pika.Message, delivery_mode=mode))
        if receive:
            tag = await queue.consume(client.inbox.put)
        yield client
        if receive:
            await queue.cancel(tag)
        await queue.delete(if_unused=False, if_empty=False)
