"""What is received ahead of calls, against a model of a broker: whatever comes, goes, ends or breaks, each message that
was delivered is handed out or released, once; and none stays for long where no calls come."""

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet import ahead
from quintet.ahead import Ahead
from quintet.connection import Connection
from quintet.message import Message, Run
from quintet.queue import Queue
from quintet.receive import Inbox, Receive
from quintet.settling import Settling
from quintet.window import MOST
from tests.unit.quintet.fake_links import TURNS, Broker, Orders, delivered

LIMIT = 4
WAIT = 60.0
Taking = asyncio.Task[tuple[list[Message], float]]

PLAIN = Message(Run(b"", 0, 1, 0, 0), 0, b"", None, [], cast(Queue, Orders()))
BY_ITSELF = Message(delivered(0), 0, b"", None, [], cast(Queue, Orders()))
"""As messages of groups are."""


def made(broker: Broker) -> Ahead:
    return Ahead(cast(Queue, Orders()), cast(Connection, broker), cast(Settling, broker))


async def settled() -> None:
    """Until nothing goes on that waits for nobody."""
    for _ in range(5 * TURNS):
        await asyncio.sleep(0)


async def opened(broker: Broker) -> Ahead:
    found = made(broker)
    found.received([PLAIN] * ahead.BUSY_MESSAGES, LIMIT, None)
    await settled()
    assert broker.held_or_coming() == LIMIT
    return found


def taken(taking: list[Taking]) -> list[str]:
    found = [task.result()[0] for task in taking if task.done() and not task.cancelled()]
    return [message.receipt for messages in found for message in messages]


DELIVERIES = ("deliver 1", "deliver 3", "deliver 20")
steps = st.lists(
    st.sampled_from(
        ["take 1", "take 4", "take 9", "cancel", "idle", "close", "break", "move", "busy", "busy", *DELIVERIES]
    ),
    max_size=40,
)


async def run(broker: Broker, did: list[str]) -> None:
    taking: list[Taking] = []
    found = await opened(broker)
    for step in did:
        verb, _, count = step.partition(" ")
        if verb == "take":
            taking.append(asyncio.ensure_future(found.take(int(count), WAIT, None)))
        elif verb == "cancel":
            next((task.cancel() for task in reversed(taking) if not task.done()), None)
        elif verb == "idle":
            found._called_at = -1e9
            if found._standing:
                found._look(found._standing)
        elif verb == "close":
            await found.close()
        elif verb == "break":
            for link in broker.both:
                link.lose()
        elif verb == "move":
            broker.owner = broker.both[1] if broker.owner is broker.both[0] else broker.both[0]
        elif verb == "busy":
            found.received([PLAIN] * ahead.BUSY_MESSAGES, LIMIT, None)
        else:
            for link in broker.both:
                link.deliver(int(count))
        for _ in range(TURNS // 2):
            await asyncio.sleep(0)
        assert broker.held_or_coming() <= MOST
    await settled()
    if found._standing:
        # Whoever waits gets something while there is something.
        for _ in [task for task in taking if not task.done()]:
            for link in broker.both:
                link.deliver(1)
            await settled()
    assert all(task.done() for task in taking)
    await found.aclose()
    handed = taken(taking) + broker.released
    assert len(handed) == len(set(handed))
    assert set(handed) == broker.delivered
    assert broker.held_or_coming() == 0


@given(steps)
def test_each_message_is_handed_out_or_released_once(did: list[str]) -> None:
    asyncio.run(run(Broker(), did))


async def test_it_begins_where_many_plain_messages_are_received_in_a_second() -> None:
    broker = Broker()
    found = made(broker)
    found.received([BY_ITSELF] * ahead.BUSY_MESSAGES, LIMIT, None)
    found.received([PLAIN] * (ahead.BUSY_MESSAGES - 1), LIMIT, None)
    await settled()
    assert broker.held_or_coming() == 0
    found._counted_from -= 2
    found.received([PLAIN], LIMIT, None)
    found.received([PLAIN] * (ahead.BUSY_MESSAGES - 2), LIMIT, 30.0)
    await settled()
    assert broker.held_or_coming() == 0
    found.received([PLAIN] * 2, LIMIT, 30.0)
    await settled()
    assert broker.held_or_coming() == LIMIT
    await found.aclose()


async def test_what_nobody_asks_for_is_given_back_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "HELD", 0.01)
    broker = Broker()
    await opened(broker)
    broker.both[0].deliver(3)
    async with asyncio.timeout(60):
        while broker.held_or_coming() or len(broker.released) < 3:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_call_that_comes_late_gets_nothing_that_was_held() -> None:
    broker = Broker()
    found = await opened(broker)
    broker.both[0].deliver(3)
    found._called_at -= 3 * ahead.HELD
    messages, left = await found.take(LIMIT, WAIT, None)
    assert (messages, left > 0) == ([], True)
    assert len(broker.released) == 3


async def test_call_for_another_visibility_timeout_gets_nothing_that_was_held() -> None:
    broker = Broker()
    found = await opened(broker)
    broker.both[0].deliver(3)
    messages, left = await found.take(LIMIT, WAIT, 5.0)
    assert (messages, left > 0) == ([], True)
    assert len(broker.released) == 3


async def test_call_for_which_nothing_comes_ends_in_time() -> None:
    broker = Broker()
    found = await opened(broker)
    assert await found.take(LIMIT, 0.01, None) == ([], 0.0)
    await settled()
    assert broker.held_or_coming() == 0


async def test_call_does_not_wait_longer_for_what_is_given_back() -> None:
    broker = SlowBroker()
    found = await opened(broker)
    broker.both[0].deliver(3)
    found._called_at -= 3 * ahead.HELD
    async with asyncio.timeout(30):
        assert await found.take(LIMIT, 0.01, None) == ([], 0.0)
    assert broker.released == []
    broker.takes.set()
    await settled()
    assert len(broker.released) == 3


class SlowBroker(Broker):
    """Takes nothing back until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = asyncio.Event()

    async def finish(self, receive: Receive | None, inbox: Inbox, done: str | None = None) -> None:
        await self.takes.wait()
        await super().finish(receive, inbox, done)


async def test_call_waits_by_itself_for_the_rest_where_the_link_is_lost() -> None:
    broker = Broker()
    found = await opened(broker)
    taking = asyncio.ensure_future(found.take(LIMIT, WAIT, None))
    await settled()
    broker.both[0].deliver(1)
    broker.both[0].lose()
    messages, _ = await taking
    assert len(messages) == 1
    messages, left = await found.take(LIMIT, WAIT, None)
    assert messages == []
    assert 0 < left <= WAIT


async def test_short_visibility_timeouts_leave_no_time_to_hold_anything() -> None:
    broker = Broker()
    found = made(broker)
    found.received([PLAIN] * ahead.BUSY_MESSAGES, LIMIT, ahead.HIDDEN / 2)
    await settled()
    assert broker.held_or_coming() == 0
