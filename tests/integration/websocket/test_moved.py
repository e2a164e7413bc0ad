"""Where a queue is: told by brokers that do not own it, and followed by the client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import quintet
from tests.integration.websocket.raw import ACKNOWLEDGE, RawClient, connected
from tests.processes import Broker, Pool

WITHIN = 60.0
"""Seconds."""


@pytest.fixture
async def clients(pool: Pool) -> AsyncIterator[list[RawClient]]:
    """One of each broker."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(broker.http_url)) for broker in pool.brokers]


async def asked(client: RawClient) -> str | None:
    """Where the queue is, as its broker says beside an answer; None: there."""
    await client.ask(ACKNOWLEDGE, "orders", ["a"])
    return client.moved.get("orders")


async def owner_of(pool: Pool, clients: list[RawClient]) -> Broker:
    """Once all agree."""
    async with asyncio.timeout(WITHIN):
        while True:
            told = [await asked(client) for client in clients]
            for broker in pool.brokers:
                if told == [None if other is broker else broker.http_url for other in pool.brokers]:
                    return broker
            await asyncio.sleep(0.02)


async def test_brokers_tell_where_a_queue_is_and_where_it_went(pool: Pool, clients: list[RawClient]) -> None:
    async with quintet.connect(pool.brokers[0].http_url) as client:
        await client.create_queue("orders")
    owner = await owner_of(pool, clients)
    await asyncio.to_thread(owner.kill)
    others = [client for broker, client in zip(pool.brokers, clients, strict=True) if broker is not owner]
    alive = {broker.http_url for broker in pool.brokers if broker is not owner}
    async with asyncio.timeout(WITHIN):
        # Of the two that are left, one owns it now, and the other says so.
        while not alive & {await asked(client) for client in others}:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


async def follow(client: quintet.Client, broker: Broker) -> None:
    """Use a queue until the client does so by a connection to that broker."""
    async with asyncio.timeout(WITHIN):
        while True:
            await client.queue("orders").receive_batch(wait=0)
            link = client._connection.links.to_owner("orders")
            if link and link.address == broker.http_url:
                return
            await asyncio.sleep(0.02)


async def test_client_goes_to_the_owner_and_back_when_it_has_gone(pool: Pool, clients: list[RawClient]) -> None:
    async with quintet.connect(pool.brokers[0].http_url) as made:
        await made.create_queue("orders")
    owner = await owner_of(pool, clients)
    another = next(broker for broker in pool.brokers if broker is not owner)
    async with quintet.connect(another.http_url, timeout=WITHIN) as client:
        queue = client.queue("orders")
        receiver = queue.receive()
        waiting = asyncio.ensure_future(anext(receiver))
        await follow(client, owner)
        await queue.send("by the owner")
        assert (await waiting).text == "by the owner"

        waiting = asyncio.ensure_future(anext(receiver))
        await asyncio.to_thread(owner.kill)
        await queue.send("by another")
        assert (await waiting).text == "by another"

        await asyncio.to_thread(owner.start)
        await follow(client, owner)
        waiting = asyncio.ensure_future(anext(receiver))
        await queue.send("by the owner again")
        assert (await waiting).text == "by the owner again"


async def test_owner_that_cannot_be_reached_is_not_needed(tmp_path: Path) -> None:
    """The brokers tell addresses that lead nowhere."""
    pool = Pool(tmp_path, http_address="http://127.0.0.1:1")
    pool.start()
    try:
        for broker in pool.brokers:
            async with quintet.connect(broker.http_url) as client:
                if broker is pool.brokers[0]:
                    await client.create_queue("orders")
                await client.queue("orders").send(broker.http_url)
                [message] = await client.queue("orders").receive_batch(wait=10)
                assert message.text == broker.http_url
                await message.acknowledge()
    finally:
        pool.kill()
