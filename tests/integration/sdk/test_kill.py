"""A broker that dies by SIGKILL while the client works."""

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

import quintet
from quintet.coalescer import ENOUGH_ITEMS
from tests.processes import Broker

KILLS = 3
CALLERS = 6


@pytest.fixture
async def queue(own_broker: Broker) -> AsyncIterator[quintet.Queue]:
    async with quintet.connect(own_broker.http_url) as client:
        await client.create_queue("orders", {"visibilityTimeout": "2s"})
        yield client.queue("orders")


async def _kill(broker: Broker) -> None:
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)


async def test_confirmed_sends_are_neither_lost_nor_doubled(own_broker: Broker, queue: quintet.Queue) -> None:
    confirmed: dict[str, str] = {}
    stop = asyncio.Event()

    async def produce(producer: int) -> None:
        number = 0
        while not stop.is_set():
            value = f"{producer}-{number}"
            confirmed[await queue.send(value)] = value
            number += 1

    producers = [asyncio.create_task(produce(producer)) for producer in range(20)]
    for _ in range(KILLS):
        enough = len(confirmed) + 200
        async with asyncio.timeout(60):
            while len(confirmed) < enough:
                await asyncio.wait(producers, timeout=0.01)
        await _kill(own_broker)
    stop.set()
    await asyncio.gather(*producers)

    stored = {message.id: message.text async for message in queue.receive(visibility_timeout=60, wait=0.5)}
    assert stored == confirmed
    assert all(count == 1 for count in Counter(stored.values()).values())


async def test_frames_under_way_are_stored_once_and_each_callers_in_order(
    own_broker: Broker, queue: quintet.Queue
) -> None:
    """Several callers send batches that are large enough to be under way beside each other."""
    confirmed: dict[int, int] = dict.fromkeys(range(CALLERS), 0)
    """How many messages, by caller."""
    stop = asyncio.Event()

    async def produce(caller: int) -> None:
        while not stop.is_set():
            first = confirmed[caller]
            await queue.send_batch([f"{caller} {number}" for number in range(first, first + ENOUGH_ITEMS)])
            confirmed[caller] = first + ENOUGH_ITEMS

    producers = [asyncio.create_task(produce(caller)) for caller in range(CALLERS)]
    for _ in range(KILLS):
        enough = sum(confirmed.values()) + 20 * ENOUGH_ITEMS
        async with asyncio.timeout(60):
            while sum(confirmed.values()) < enough:
                await asyncio.wait(producers, timeout=0.001)
        await _kill(own_broker)
    stop.set()
    await asyncio.gather(*producers)

    stored: dict[int, list[int]] = {caller: [] for caller in range(CALLERS)}
    async with asyncio.timeout(120):
        while sum(map(len, stored.values())) < sum(confirmed.values()):
            for message in await queue.receive_batch(1000, visibility_timeout=600, wait=20):
                caller, number = map(int, message.text.split())
                stored[caller].append(number)
    assert await queue.receive_batch(visibility_timeout=600, wait=0) == []
    assert stored == {caller: [*range(count)] for caller, count in confirmed.items()}


async def test_calls_of_a_group_keep_their_order(own_broker: Broker) -> None:
    """Though they run at the same time, and frames of them are lost."""
    count = 6 * ENOUGH_ITEMS
    async with quintet.connect(own_broker.http_url, batch_messages=ENOUGH_ITEMS) as client:
        await client.create_queue("groups", {"ordering": "Fifo"})
        queue = client.queue("groups")
        sends = [asyncio.ensure_future(queue.send(str(number), key="a")) for number in range(count)]
        async with asyncio.timeout(60):
            await sends[0]
        await _kill(own_broker)
        await asyncio.gather(*sends)
        found: list[str] = []
        async with asyncio.timeout(120):
            while len(found) < count:
                messages = await queue.receive_batch(1000, wait=20)
                found += [message.text for message in messages]
                await queue.acknowledge_batch(messages)
    assert found == [str(number) for number in range(count)]


@pytest.mark.parametrize("groups", [1, CALLERS])
async def test_frames_under_way_keep_the_order_of_each_group(own_broker: Broker, groups: int) -> None:
    """Each call is a frame, and one is under way behind another when the broker dies, or the connection alone."""
    confirmed: list[int] = []
    """Numbers of calls."""
    async with quintet.connect(own_broker.http_url, batch_messages=ENOUGH_ITEMS) as client:
        await client.create_queue("groups", {"ordering": "Fifo"})
        queue = client.queue("groups")
        stop = asyncio.Event()
        calls = itertools.count()

        async def produce() -> None:
            while not stop.is_set():
                call = next(calls)
                numbers = range(call * ENOUGH_ITEMS, (call + 1) * ENOUGH_ITEMS)
                await queue.send_batch(
                    [
                        quintet.NewMessage(str(number), key=f"{call % groups}", deduplication_id=f"id-{number}")
                        for number in numbers
                    ]
                )
                confirmed.append(call)

        producers = [asyncio.create_task(produce()) for _ in range(CALLERS)]
        for kill in range(4):
            enough = len(confirmed) + 10
            async with asyncio.timeout(60):
                while len(confirmed) < enough:
                    await asyncio.wait(producers, timeout=0.001)
            if kill % 2:
                await _kill(own_broker)
            else:
                for link in list(queue._connection.links._open.values()):
                    link.drop()
        stop.set()
        await asyncio.gather(*producers)

        found: dict[str | None, list[int]] = {}
        count = 0
        async with asyncio.timeout(120):
            while count < len(confirmed) * ENOUGH_ITEMS:
                messages = await queue.receive_batch(1000, wait=20)
                count += len(messages)
                for message in messages:
                    found.setdefault(message.key, []).append(int(message.text))
                await queue.acknowledge_batch(messages)
        assert await queue.receive_batch(wait=0) == []
    assert sorted(confirmed) == list(range(len(confirmed)))
    assert all(numbers == sorted(numbers) for numbers in found.values())
    assert sorted(itertools.chain(*found.values())) == list(range(len(confirmed) * ENOUGH_ITEMS))


async def test_receiving_goes_on(own_broker: Broker, queue: quintet.Queue) -> None:
    sent = set(await queue.send_batch([quintet.NewMessage(str(number)) for number in range(1500)]))
    settled: list[str] = []

    async def consume() -> None:
        async for message in queue.receive(wait=3):
            try:
                await message.acknowledge()
            except quintet.ReceiptStale:
                continue
            settled.append(message.id)

    consumers = [asyncio.create_task(consume()) for _ in range(10)]
    for kill in range(KILLS):
        async with asyncio.timeout(60):
            while len(settled) < 300 * (kill + 1):
                await asyncio.wait(consumers, timeout=0.01)
        await _kill(own_broker)
    await asyncio.gather(*consumers)
    assert set(settled) == sent


async def test_waiting_receive_outlives_its_broker(own_broker: Broker, queue: quintet.Queue) -> None:
    waiting = asyncio.ensure_future(anext(queue.receive()))
    await queue.info()
    await _kill(own_broker)
    await queue.send("a")
    assert (await asyncio.wait_for(waiting, 60)).text == "a"


async def test_send_that_timed_out_is_stored_once_or_not_at_all(own_broker: Broker, queue: quintet.Queue) -> None:
    async with quintet.connect(own_broker.http_url, timeout=5) as client:
        await client.queue(queue.name).info()
        os.kill(own_broker.pid, signal.SIGSTOP)
        with pytest.raises(quintet.TimedOut, match="may or may not"):
            await client.queue(queue.name).send("during")
        os.kill(own_broker.pid, signal.SIGCONT)
    await queue.send("after")
    stored = [message.text async for message in queue.receive(visibility_timeout=60, wait=0.5)]
    assert stored in (["after"], ["during", "after"])


async def test_broker_that_stays_away_is_connection_lost(own_broker: Broker, queue: quintet.Queue) -> None:
    own_broker.kill()
    async with quintet.connect(own_broker.http_url, timeout=0.5) as client:
        with pytest.raises(quintet.ConnectionLost):
            await client.queue(queue.name).send("a")
        with pytest.raises(quintet.ConnectionLost):
            await client.queue(queue.name).receive_batch(wait=0)
