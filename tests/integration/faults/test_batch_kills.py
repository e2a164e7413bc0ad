"""Kills by SIGKILL at random moments, while messages travel in batches that nobody takes apart."""

import asyncio
import os
import random

import pytest

from quintet import ahead
from quintet.client import Client
from quintet.errors import NotSettled, QuintetError
from quintet.message import Message
from quintet.queue import Queue
from tests.integration.faults.system import Killer, seed
from tests.processes import Broker, Pool, RedisServer

KILLS = int(os.environ.get("FAULTS_KILLS", "5"))
BATCH = 100
"""Messages of a send, without keys: enough for one to be under way beside others."""
DIGITS = [1, 200]
"""Of numbers, in turn: small batches go through the script of a tick, large ones around it."""
PRODUCERS = 4
"""Of each client, which send at the same time."""
VISIBILITY = 2.0
"""Seconds."""
ENDS_WITHIN = 120.0
"""Seconds until all that was confirmed has come, on a busy machine too."""


@pytest.fixture(autouse=True)
def _received_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after each kill."""
    monkeypatch.setattr(ahead, "BUSY_MESSAGES", BATCH)
    monkeypatch.setattr(ahead, "REST", 0.5)


class Books:
    """Numbered messages, and what became of each."""

    def __init__(self) -> None:
        self.next = 0
        self.confirmed: set[int] = set()
        self.acknowledged: set[int] = set()
        self.perhaps: set[int] = set()
        """Acknowledged, as far as is known: nobody answered."""
        self.ids: dict[int, set[str]] = {}
        """Under which each was delivered."""
        self.again: list[int] = []
        """Delivered once more, though they were acknowledged before that was asked for."""

    @property
    def stored_twice(self) -> list[set[str]]:
        return [found for found in self.ids.values() if len(found) > 1]

    @property
    def left(self) -> set[int]:
        return self.confirmed - self.acknowledged - self.perhaps


async def produce(queue: Queue, books: Books, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        numbers = range(books.next, books.next + BATCH)
        digits = DIGITS[books.next // BATCH % len(DIGITS)]
        books.next += BATCH
        try:
            await queue.send_batch([f"{number:0{digits}}" for number in numbers])
            books.confirmed.update(numbers)
        except QuintetError:
            # Perhaps it is stored.
            continue
        while len(books.left) > 20 * BATCH and not stopped.is_set():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def consume(queue: Queue, books: Books, chance: random.Random) -> None:
    """Most is acknowledged, in parts; some is released, and some forgotten."""
    while True:
        settled = set(books.acknowledged)
        try:
            messages = await queue.receive_batch(chance.randint(1, 2 * BATCH), wait=1, visibility_timeout=VISIBILITY)
        except QuintetError:
            continue
        for message in messages:
            number = int(message.text)
            books.ids.setdefault(number, set()).add(message.id)
            if number in settled:
                books.again.append(number)
        middle = chance.randint(0, len(messages))
        await acknowledge(queue, messages[:middle], books)
        if chance.random() < 0.1:
            continue
        if chance.random() < 0.1:
            await release(queue, messages[middle:])
        else:
            await acknowledge(queue, messages[middle:], books)


async def acknowledge(queue: Queue, messages: list[Message], books: Books) -> None:
    failed: set[object] = set()
    if not messages:
        return
    try:
        await queue.acknowledge_batch(messages)
    except NotSettled as error:
        failed = {message for message, _ in error.failed}
    except QuintetError:
        books.perhaps.update(int(message.text) for message in messages)
        return
    books.acknowledged.update(int(message.text) for message in messages if message not in failed)


async def release(queue: Queue, messages: list[Message]) -> None:
    try:
        if messages:
            await queue.release_batch(messages)
    except QuintetError:
        return


async def until_all_is_settled(queues: list[Queue], killer: Killer, number: int) -> Books:
    """Messages go the whole way meanwhile, and after so many kills all that were confirmed."""
    books, stopped = Books(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        producing = [group.create_task(produce(queue, books, stopped)) for queue in queues * PRODUCERS]
        consuming = [group.create_task(consume(queue, books, random.Random(number))) for queue in queues * 2]
        while killer.kills < KILLS:
            before = len(books.acknowledged)
            await asyncio.to_thread(killer.strike)
            async with asyncio.timeout(ENDS_WITHIN):
                while len(books.acknowledged) < before + BATCH:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.01)
        stopped.set()
        await asyncio.wait(producing)
        async with asyncio.timeout(ENDS_WITHIN):
            while books.left:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)
        for task in consuming:
            task.cancel()
    print(
        f"{killer.kills} kills, {killer.pauses} pauses, {len(books.confirmed)} confirmed, {len(books.perhaps)} unknown"
    )
    return books


async def test_batches_are_neither_lost_nor_doubled(
    own_broker: Broker, own_redis: RedisServer, client: Client, hasty_client: Client
) -> None:
    await client.create_queue("batches")
    number = seed()
    killer = Killer(number, [own_broker], own_redis)
    books = await until_all_is_settled([one.queue("batches") for one in (client, hasty_client)], killer, number)
    assert books.again == [], "delivered again after they were acknowledged"
    assert books.stored_twice == []


async def test_batches_go_through_three_brokers(pool: Pool, clients: list[Client]) -> None:
    await clients[0].create_queue("batches")
    number = seed()
    killer = Killer(number, pool.brokers, pool.redis)
    books = await until_all_is_settled([one.queue("batches") for one in clients], killer, number)
    assert books.again == [], "delivered again after they were acknowledged"
    assert books.stored_twice == []
