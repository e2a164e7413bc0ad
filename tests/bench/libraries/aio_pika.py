"""RabbitMQ by aio-pika."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from tests.bench.clients.amqp import PREFETCH
from tests.bench.clients.client import Client
from tests.bench.flow import MESSAGE
from tests.bench.libraries.library import library, together
from tests.bench.peers.rabbitmq import RabbitMQ


class AioPika:
    """`multiple`: acknowledges all that has come by one command."""

    def __init__(self, channel: Any, queue: str, message: Callable[[bytes], Any], multiple: bool) -> None:
        self._exchange = channel.default_exchange
        self._channel = channel
        self._queue = queue
        self._message = message
        self._multiple = multiple
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()

    async def send(self, count: int) -> None:
        await together(count, self._publish)

    async def _publish(self) -> None:
        await self._exchange.publish(self._message(MESSAGE.encode()), routing_key=self._queue)

    async def settle(self) -> int:
        message = await self.inbox.get()
        settled = 1
        while self._multiple and not self.inbox.empty():
            message = self.inbox.get_nowait()
            settled += 1
        await message.ack(multiple=self._multiple)
        return settled

    async def finish(self) -> None:
        # Answered behind the acknowledgements.
        await self._channel.set_qos(PREFETCH)


@asynccontextmanager
async def aio_pika_client(
    server: RabbitMQ, *, kind: str, receive: bool = True, multiple: bool = False
) -> AsyncIterator[Client]:
    """`kind`: classic or quorum."""
    aio_pika = library("aio_pika")
    name, durable = server.new_name(), server.durability == "Fsync"
    async with await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{server.port}/") as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.set_qos(PREFETCH)
        queue = await channel.declare_queue(name, durable=durable, arguments={"x-queue-type": kind})
        mode = aio_pika.DeliveryMode.PERSISTENT if durable else aio_pika.DeliveryMode.NOT_PERSISTENT
        client = AioPika(channel, name, partial(aio_pika.Message, delivery_mode=mode), multiple)
        if receive:
            tag = await queue.consume(client.inbox.put)
        yield client
        if receive:
            await queue.cancel(tag)
        await queue.delete(if_unused=False, if_empty=False)
