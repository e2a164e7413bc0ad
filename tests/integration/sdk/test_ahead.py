"""What calls of `receive_batch` that follow each other at once are given ahead, by a real broker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

import quintet
from quintet import ahead
from tests.processes import Broker

MANY = 2000
BATCH = 20


@pytest.fixture
async def other(broker: Broker, queue: quintet.Queue) -> AsyncIterator[quintet.Queue]:
    """The queue by another client."""
    async with quintet.connect(broker.http_url) as client:
        yield client.queue(queue.name)


async def received(queue: quintet.Queue, monkeypatch: pytest.MonkeyPatch) -> list[quintet.Message]:
    """Some of many messages, so that others are held."""
    monkeypatch.setattr(ahead, "BUSY_MESSAGES", BATCH)
    monkeypatch.setattr(ahead, "HELD", 3600.0)
    monkeypatch.setattr(ahead, "HIDDEN", 2.0)
    await queue.send_batch([str(number) for number in range(MANY)])
    found: list[quintet.Message] = []
    async with asyncio.timeout(60):
        while not (queue._ahead._standing and queue._ahead._standing.inbox):
            # As much as is there for a moment would be read before anything is held.
            found += await queue.receive_batch(1 if queue._ahead._standing else BATCH, wait=1)
    return found


async def left(queue: quintet.Queue) -> list[quintet.Message]:
    found: list[quintet.Message] = []
    while messages := await queue.receive_batch(1000, wait=0):
        found += messages
    return found


def check(messages: list[quintet.Message]) -> None:
    assert sorted(int(message.text) for message in messages) == [*range(MANY)]
    assert {message.deliveries for message in messages} == {1}


async def test_consumers_get_each_message_once(queue: quintet.Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "BUSY_MESSAGES", BATCH)
    settled: Counter[str] = Counter()

    async def consume() -> None:
        while settled.total() < MANY:
            messages = await queue.receive_batch(BATCH, wait=0.2)
            assert {message.deliveries for message in messages} <= {1}
            await queue.acknowledge_batch(messages)
            settled.update(message.text for message in messages)

    sends = [queue.send_batch([str(number) for number in range(some, some + 200)]) for some in range(0, MANY, 200)]
    async with asyncio.timeout(120):
        await asyncio.gather(*sends, *(consume() for _ in range(4)))
    assert settled == Counter(str(number) for number in range(MANY))
    await queue._ahead.close()
    assert (await queue.info()).counts == quintet.Counts(0, 0, 0)


async def test_call_that_does_not_wait_gets_all_that_was_held(
    queue: quintet.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await received(queue, monkeypatch)
    check(found + await left(queue))


async def test_selector_sees_what_was_held(queue: quintet.Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    await received(queue, monkeypatch)
    assert queue._ahead._standing
    held = queue._ahead._standing.inbox[0][1]
    [message] = await queue.receive_batch(1, wait=20, selector=f"value == '{held.text}'")
    assert (message.id, message.deliveries) == (held.id, 1)


async def test_others_get_what_was_held_when_the_client_closes(
    broker: Broker, other: quintet.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quintet.connect(broker.http_url) as client:
        found = await received(client.queue(other.name), monkeypatch)
    check(found + await left(other))


async def test_others_get_what_was_held_soon_where_no_call_comes(
    queue: quintet.Queue, other: quintet.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await received(queue, monkeypatch)
    monkeypatch.setattr(ahead, "HELD", 0.01)
    assert queue._ahead._standing
    queue._ahead._look_later(queue._ahead._standing)
    async with asyncio.timeout(60):
        while (await queue.info()).counts.in_flight > len(found):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    check(found + await left(other))
