"""What keeps a message hidden, and what ends its handler."""

import asyncio
from typing import Any, cast

import pytest

from quintet.errors import ConnectionLost, QuintetError, ReceiptStale
from quintet.message import Message
from quintet.worker.heartbeat import Held, beat


class FakeMessage:
    """A message whose extensions a test answers."""

    queue = type("FakeQueue", (), {"name": "orders"})
    id = "1"

    def __init__(self) -> None:
        self.extended: list[float] = []
        self.error: QuintetError | None = None
        self.answered = asyncio.Event()
        self.answered.set()

    async def extend(self, seconds: float) -> None:
        self.extended.append(seconds)
        await self.answered.wait()
        if self.error:
            raise self.error


def held(message: FakeMessage) -> Held:
    found = Held(cast(Message, message))
    found.handling = asyncio.create_task(_forever())
    return found


async def _forever() -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def message() -> FakeMessage:
    return FakeMessage()


async def test_all_that_is_held_is_extended_again_and_again() -> None:
    messages = [FakeMessage() for _ in range(3)]
    holding = {held(message) for message in messages[:2]}
    beating = asyncio.create_task(beat(holding, 0.03))
    await _until(lambda: all(len(message.extended) >= 2 for message in messages[:2]))
    # What is held later is extended too.
    holding.add(held(messages[2]))
    await _until(lambda: messages[2].extended)
    assert set(messages[0].extended) == {0.03}
    beating.cancel()


async def test_a_message_that_is_lost_ends_its_handler(message: FakeMessage) -> None:
    one = held(message)
    message.error = ReceiptStale()
    await one.beat(30)
    assert one.handling
    await asyncio.wait([one.handling])
    assert one.lost
    assert isinstance(one.error, asyncio.CancelledError)
    assert not one.beating


async def test_a_broker_that_is_away_ends_no_handler(message: FakeMessage) -> None:
    one = held(message)
    message.error = ConnectionLost()
    await one.beat(30)
    assert one.beating
    assert one.handling
    assert not one.handling.done()


async def test_what_is_settled_waits_for_the_beat_before_it(message: FakeMessage) -> None:
    one = held(message)
    message.answered.clear()
    one.beat(30)
    await _until(lambda: message.extended)
    still = asyncio.create_task(one.still())
    await asyncio.sleep(0)
    assert not still.done()
    message.answered.set()
    await still
    beating = asyncio.create_task(beat([one], 0))
    for _ in range(10):
        await asyncio.sleep(0)
    assert message.extended == [30]
    beating.cancel()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
