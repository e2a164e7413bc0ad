"""Dead letters and their way back between queues of three brokers, which are killed one after the other."""

import asyncio
import contextlib
import random

import quintet
from quintet.client import Client
from tests.processes import Pool

MESSAGES = 600


async def all_of(queue: quintet.Queue, count: int) -> list[str]:
    """What is received and acknowledged until `count` came, and no more within 2 seconds."""
    texts: list[str] = []
    async with asyncio.timeout(60):
        while messages := await queue.receive_batch(100, wait=10 if len(texts) < count else 2):
            texts += [message.text for message in messages]
            await asyncio.gather(*(message.acknowledge() for message in messages))
    return texts


async def visible(queue: quintet.Queue) -> int:
    return (await queue.info()).counts.visible


async def kill_each(pool: Pool) -> None:
    """Kill brokers in any order and start them again, one at a time."""
    for broker in random.sample(pool.brokers, len(pool.brokers)):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)


async def test_what_is_dead_lettered_and_brought_back_is_moved_once(pool: Pool, clients: list[Client]) -> None:
    await clients[0].create_queue("dead")
    await clients[0].create_queue("orders", {"deadLetter": {"queue": "dead", "maxReceives": 1}})
    orders, dead = clients[0].queue("orders"), clients[1].queue("dead")
    texts = [str(number) for number in range(MESSAGES)]
    await orders.send_batch([quintet.NewMessage(text, priority=1 + int(text) % 10) for text in texts])

    killing = asyncio.create_task(kill_each(pool))
    async with asyncio.timeout(60):
        while await visible(dead) < MESSAGES:
            with contextlib.suppress(quintet.QuintetError):
                await orders.receive_batch(100, visibility_timeout=0)
    await killing

    await dead.redrive(rate=MESSAGES / 3)
    await kill_each(pool)
    async with asyncio.timeout(60):
        while (found := await clients[2].queue("dead").redrive_progress()).running:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)
    assert found.moved == MESSAGES
    assert sorted(await all_of(orders, MESSAGES), key=int) == texts
    assert await visible(dead) == 0
