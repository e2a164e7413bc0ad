"""Queues that serve one consumer at a time."""

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import boto3
import pytest
from botocore.exceptions import ClientError

import quintet
from tests.processes import Broker

PATIENCE = 120.0
"""Seconds for what takes about ten: the grace."""


async def _made(client: quintet.Client, consumers: str, **spec: Any) -> quintet.Queue:
    name = f"turns-{uuid.uuid4().hex[:8]}"
    await client.create_queue(name, {"consumers": consumers, "visibilityTimeout": "10m"} | spec)
    return client.queue(name)


async def _active(queue: quintet.Queue) -> str | None:
    return (await queue.info()).active_consumer


async def test_the_next_goes_on_when_the_active_one_is_done(client: quintet.Client) -> None:
    queue = await _made(client, "SingleActive")
    for value in "1", "2", "3":
        await queue.send(value)
    first = queue.receive(consumer="a", ahead=1)
    one = await anext(first)
    waiting = asyncio.ensure_future(anext(queue.receive(consumer="b", ahead=1)))
    assert [message.text for message in await queue.receive_batch(1, consumer="a")] == ["2"]
    await one.acknowledge()
    await first.aclose()
    # It holds the second message.
    assert await _active(queue) == "a"
    assert not waiting.done()
    await queue.purge()
    await queue.send("4")
    assert (await asyncio.wait_for(waiting, PATIENCE)).text == "4"
    assert await _active(queue) == "b"


async def test_a_receiver_that_is_left_lets_the_next_one_go_on(client: quintet.Client) -> None:
    queue = await _made(client, "Exclusive")
    await queue.send_batch([quintet.NewMessage(value) for value in ("1", "2", "3")])
    async for message in queue.receive():
        with pytest.raises(quintet.QueueInUse, match="in use by the consumer receiver-"):
            await anext(queue.receive())
        await message.acknowledge()
        break
    async with asyncio.timeout(PATIENCE):
        while await _active(queue):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)
    assert [message.text for message in await queue.receive_batch(3, consumer="b")] == ["2", "3"]


async def test_others_wait_and_end_empty_or_are_refused(client: quintet.Client) -> None:
    queue = await _made(client, "SingleActive")
    await queue.send_batch([quintet.NewMessage(value) for value in ("1", "2")])
    [held] = await queue.receive_batch(1, consumer="a")
    assert await queue.receive_batch(1, wait=0.1, consumer="b") == []
    await client.update_queue(queue.name, {"consumers": "Exclusive"})
    with pytest.raises(quintet.QueueInUse) as caught:
        await queue.receive_batch(1, wait=5, consumer="b")
    assert caught.value.status == 409
    await client.update_queue(queue.name, {"consumers": None})
    assert [message.text for message in await queue.receive_batch(1)] == ["2"]
    await held.acknowledge()
    assert await _active(queue) is None


async def test_a_consumer_has_a_name(client: quintet.Client) -> None:
    queue = await _made(client, "SingleActive")
    with pytest.raises(quintet.InvalidArgument, match="consumer: is needed, since the queue's consumers are Single"):
        await queue.receive_batch()
    for name in "", "two words", "x" * 129, "ü":
        with pytest.raises(quintet.InvalidArgument, match="consumer"):
            await queue.receive_batch(consumer=name)
    name = "a/b:c?#%" + "!" * 120
    assert await queue.receive_batch(wait=0, consumer=name) == []
    assert await _active(queue) == name
    await queue.close_consumer("another")
    assert await _active(queue) == name
    await queue.close_consumer(name)
    assert await _active(queue) is None


async def test_one_that_was_cut_off_is_followed_by_the_next(broker: Broker, client: quintet.Client) -> None:
    queue = await _made(client, "SingleActive")
    url = f"{broker.http_url}/v1/queues/{queue.name}/messages:receive"
    async with aiohttp.ClientSession() as session:

        async def wait() -> None:
            async with session.post(url, data=json.dumps({"consumer": "a", "wait": "20s"})) as response:
                await response.read()

        waiting = asyncio.ensure_future(wait())
        async with asyncio.timeout(PATIENCE):
            while await _active(queue) != "a":  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)
        waiting.cancel()
    await queue.send("1")
    async with asyncio.timeout(PATIENCE):
        async for message in queue.receive(consumer="b"):
            assert message.text == "1"
            break


async def test_over_sqs_it_cannot_be_received(broker: Broker, client: quintet.Client) -> None:
    queue = await _made(client, "SingleActive")
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    sqs = boto3.client("sqs", endpoint_url=broker.http_url, **keys)
    url = (await asyncio.to_thread(sqs.get_queue_url, QueueName=queue.name))["QueueUrl"]
    await asyncio.to_thread(sqs.send_message, QueueUrl=url, MessageBody="1")
    with pytest.raises(ClientError, match="SingleActive") as caught:
        await asyncio.to_thread(sqs.receive_message, QueueUrl=url)
    assert caught.value.response["Error"]["Code"].endswith("UnsupportedOperation")
    [message] = await queue.receive_batch(consumer="a")
    assert message.text == "1"
