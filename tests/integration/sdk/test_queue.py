"""The client's verbs against a real broker."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

import quintet
from tests.processes import Broker


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[quintet.Client]:
    async with quintet.connect(broker.http_url, timeout=10) as client:
        yield client


@pytest.fixture
async def queue(client: quintet.Client) -> quintet.Queue:
    name = f"sdk-{uuid.uuid4().hex[:8]}"
    await client.create_queue(name)
    return client.queue(name)


async def test_message_comes_as_it_was_sent(queue: quintet.Queue) -> None:
    headers = {"trace": "abc", "blob": b"\xff\x00"}
    sent = await queue.send(b"\x80 not text", key="customer-7", headers=headers)
    [message] = await queue.receive_batch(wait=5)
    assert (message.id, message.value, message.key, message.deliveries) == (sent, b"\x80 not text", "customer-7", 1)
    assert message.headers["trace"] == "abc"
    assert message.headers["blob"].encode(errors="surrogateescape") == b"\xff\x00"
    await message.acknowledge()
    await message.acknowledge()


async def test_sends_at_once_are_each_stored_once(queue: quintet.Queue) -> None:
    ids = await asyncio.gather(*(queue.send(f"{number}") for number in range(2500)))
    assert len(set(ids)) == 2500
    received = []
    async for message in queue.receive(wait=0.2):
        received.append(message.text)
        await message.acknowledge()
    assert sorted(received, key=int) == [str(number) for number in range(2500)]
