"""The iterator against a model of a broker: it never holds more than `ahead`, and whatever ends, moves or breaks, each
message that was delivered is handed out or released, once, unless it was lost with its connection."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet import receiver
from quintet.connection import Connection
from quintet.message import Message
from quintet.queue import Queue
from quintet.receiver import Receiver
from quintet.settling import Settling
from tests.unit.quintet.fake_links import TURNS, Broker, Orders

AHEAD = 7


steps = st.lists(
    st.sampled_from(
        ["read", "read", "read", "cancel", "idle", "break", "move", "deliver 1", "deliver 3", "deliver 20"]
    ),
    max_size=40,
)


def handed_out(reading: list[asyncio.Task[Message]]) -> list[str]:
    return [task.result().receipt for task in reading if task.done() and not task.cancelled()]


async def run(broker: Broker, did: list[str]) -> None:
    reading: list[asyncio.Task[Message]] = []
    messages = Receiver(cast(Queue, Orders()), cast(Connection, broker), cast(Settling, broker), 30.0, None, AHEAD)
    for step in did:
        verb, _, count = step.partition(" ")
        if verb == "read":
            reading.append(asyncio.ensure_future(anext(messages)))
        elif verb == "cancel":
            next((task.cancel() for task in reversed(reading) if not task.done()), None)
        elif verb == "idle":
            messages._read_at = -1e9
            messages._look()
        elif verb == "break":
            for link in broker.both:
                link.lose()
        elif verb == "move":
            broker.owner = broker.both[1] if broker.owner is broker.both[0] else broker.both[0]
            if messages._receive:
                messages._receive.poke()
        else:
            for link in broker.both:
                link.deliver(int(count))
        for _ in range(TURNS // 2):
            await asyncio.sleep(0)
        unread = broker.delivered - set(handed_out(reading)) - set(broker.released)
        assert len(unread) + broker.held_or_coming() <= AHEAD
    for _ in range(10 * TURNS):
        await asyncio.sleep(0)
    # Whoever reads gets something while there is something, though nothing comes behind it.
    wanted = sum(not task.done() for task in reading)
    for _ in range(200 * wanted):
        if wanted:
            before = broker.next
            broker.both[0].deliver(wanted)
            broker.both[1].deliver(wanted - (broker.next - before))
            wanted -= broker.next - before
        await asyncio.sleep(0)
    assert all(task.done() for task in reading)
    await messages.aclose()
    handed = handed_out(reading) + broker.released
    assert len(handed) == len(set(handed))
    assert set(handed) == broker.delivered
    assert broker.held_or_coming() == 0


@given(steps)
def test_each_message_is_handed_out_or_released_once(did: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receiver, "pauses", lambda: iter(lambda: 0.0, None))
        asyncio.run(run(Broker(), did))


async def settled() -> None:
    """Until nothing goes on that waits for nobody."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_reader_that_is_not_read_has_no_credit_left() -> None:
    broker: Any = Broker()
    messages = Receiver(cast(Queue, Orders()), broker, broker, 30.0, None, AHEAD)
    reading = asyncio.ensure_future(anext(messages))
    await settled()
    assert broker.held_or_coming() == AHEAD
    messages._look()
    broker.both[0].deliver(1)
    await reading
    assert broker.held_or_coming() == AHEAD - 1
    messages._read_at = -1e9
    messages._look()
    await settled()
    assert broker.held_or_coming() == 0


async def test_reader_that_is_cancelled_leaves_no_credit() -> None:
    """Though it is still known: an exception holds what it came through."""
    broker: Any = Broker()
    messages = Receiver(cast(Queue, Orders()), broker, broker, 30.0, None, AHEAD)
    reading = asyncio.ensure_future(anext(messages))
    await settled()
    assert broker.held_or_coming() == AHEAD
    reading.cancel()
    await settled()
    assert broker.held_or_coming() == 0
    reading = asyncio.ensure_future(anext(messages))
    await settled()
    broker.both[0].deliver(1)
    assert (await reading).id == "0"


async def test_readers_that_wait_hear_of_what_comes_while_others_are_called() -> None:
    broker: Any = Broker()
    messages = Receiver(cast(Queue, Orders()), broker, broker, 30.0, None, AHEAD)
    reading = [asyncio.ensure_future(anext(messages)) for _ in range(6)]
    await settled()
    for _ in range(2):
        broker.both[0].deliver(2)
        await asyncio.sleep(0)
    await settled()
    assert sum(task.done() for task in reading) == 4
    broker.both[0].deliver(2)
    await asyncio.gather(*reading)
