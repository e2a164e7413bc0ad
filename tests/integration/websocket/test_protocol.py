"""What docs/protocol.md promises, by a client that was written from it."""

import asyncio
import random
from typing import Any

import pytest

import quintet
from tests.integration.websocket.raw import (
    ACKNOWLEDGE,
    CANCEL,
    CONFIRM,
    CREDIT,
    DELIVER,
    EXTEND,
    REFUSED,
    RELEASE,
    SEND,
    SETTLED,
    RawClient,
    connected,
)
from tests.processes import Broker


async def until_counts(queue: quintet.Queue, visible: int, in_flight: int) -> None:
    async with asyncio.timeout(60):
        while (await queue.info()).counts != quintet.Counts(visible, in_flight, 0):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


async def test_round(raw: RawClient, queue: quintet.Queue) -> None:
    record = [b"\xff", b"key", [["h", b"1"], ["g", b"\x00"]], None, 7, 60_000]
    _, _, ids = await raw.ask(SEND, queue.name, None, 0, [record])
    [[message_id, receipt, value, key, headers, sent, first, deliveries, *rest]] = await raw.pull(queue.name, 10)
    assert [message_id] == ids
    assert (value, key, headers, deliveries) == (b"\xff", b"key", [["h", b"1"], ["g", b"\x00"]], 1)
    assert sent <= first
    assert rest == [7, sent + 60_000, None, None, None]
    assert await raw.ask(EXTEND, queue.name, [[receipt, 60_000]]) == [SETTLED, 3, []]
    assert await raw.ask(ACKNOWLEDGE, queue.name, [receipt, receipt]) == [SETTLED, 4, []]
    answer = await raw.ask(RELEASE, queue.name, [receipt, "nonsense"])
    assert [problem[:2] for problem in answer[2]] == [["ReceiptStale", 410], ["ReceiptInvalid", 422]]
    await until_counts(queue, 0, 0)


async def test_send_that_is_repeated_over_another_connection_is_stored_once(
    broker: Broker, raw: RawClient, queue: quintet.Queue
) -> None:
    ids = await raw.send(queue.name, [b"a", b"b"], producer=77, sequence=0)
    async with connected(broker.http_url) as other:
        assert await other.send(queue.name, [b"a", b"b"], producer=77, sequence=0) == ids
        assert await other.send(queue.name, [b"c"], producer=77, sequence=1) != ids
    await until_counts(queue, 3, 0)


async def test_sends_are_under_way_behind_each_other_in_order(
    broker: Broker, raw: RawClient, queue: quintet.Queue
) -> None:
    records = [[[b"%d" % number]] for number in range(4)]
    for number in range(3):
        await raw.say(SEND, number, queue.name, 77, number, records[number], number - 1 if number else None)
    assert [(await raw.hear())[:2] for _ in range(3)] == [[CONFIRM, number] for number in range(3)]
    async with connected(broker.http_url) as other:
        await other.say(SEND, 1, queue.name, 77, 3, records[3], 2)
        assert (await other.hear())[:4] == [REFUSED, 1, "OutOfOrder", 409]
        await other.say(SEND, 2, queue.name, 77, 2, records[2])
        await other.say(SEND, 3, queue.name, 77, 3, records[3], 2)
        assert [(await other.hear())[:2] for _ in range(2)] == [[CONFIRM, 2], [CONFIRM, 3]]
    await until_counts(queue, 4, 0)


async def test_receipts_hold_over_another_connection(broker: Broker, raw: RawClient, queue: quintet.Queue) -> None:
    await raw.send(queue.name, [b"a"])
    async with connected(broker.http_url) as other:
        [message] = await other.pull(queue.name, 1)
    assert (await raw.ask(ACKNOWLEDGE, queue.name, [message[1]]))[2] == []
    await until_counts(queue, 0, 0)


async def test_credit_is_never_exceeded(raw: RawClient, queue: quintet.Queue) -> None:
    count, granted, delivered = 400, 1, 0
    await raw.send(queue.name, [b"x"] * count)
    number = await raw.receive(queue.name, granted)
    while delivered < count:
        while delivered < min(granted, count):
            tag, told, messages, is_open = await raw.hear()
            assert (tag, told, is_open) == (DELIVER, number, True)
            delivered += len(messages)
            assert delivered <= granted
        # All of the credit is used: nothing more is claimed, and nothing comes.
        assert (await queue.info()).counts == quintet.Counts(count - delivered, delivered, 0)
        more = random.randint(1, 60)
        granted += more
        await raw.say(CREDIT, number, more)


async def test_what_arrives_is_pushed(raw: RawClient, queue: quintet.Queue) -> None:
    number = await raw.receive(queue.name, 3)
    for text in "abc":
        await queue.send(text)
        tag, told, [message], _ = await raw.hear()
        assert (tag, told, message[2]) == (DELIVER, number, text.encode())


async def test_receives_of_one_connection_do_not_hold_up_each_other(raw: RawClient, queue: quintet.Queue) -> None:
    waiting = await raw.receive(f"{queue.name}-none", 5)
    assert (await raw.hear())[:4] == [REFUSED, waiting, "QueueNotFound", 404]
    first = await raw.receive(queue.name, 1)
    second = await raw.receive(queue.name, 5)
    await raw.send(queue.name, [b"a"])
    assert (await raw.hear())[1] == first
    await queue.send("b")
    assert (await raw.hear())[1] == second


async def test_once_and_wait_end_by_themselves(raw: RawClient, queue: quintet.Queue) -> None:
    number = await raw.receive(queue.name, 5, once=True, wait=0)
    assert await raw.hear() == [DELIVER, number, [], False]
    await raw.send(queue.name, [b"a"])
    number = await raw.receive(queue.name, 5, wait=50)
    tag, _, [message], is_open = await raw.hear()
    assert (tag, message[2], is_open) == (DELIVER, b"a", True)
    assert await raw.hear() == [DELIVER, number, [], False]


async def test_cancelled_receive_takes_nothing(raw: RawClient, queue: quintet.Queue) -> None:
    number = await raw.receive(queue.name, 50)
    await raw.say(CANCEL, number)
    assert await raw.hear() == [DELIVER, number, [], False]
    await raw.send(queue.name, [b"a", b"b", b"c"])
    assert (await queue.info()).counts == quintet.Counts(3, 0, 0)


async def test_receives_end_with_their_connection(broker: Broker, queue: quintet.Queue) -> None:
    async with connected(broker.http_url) as gone:
        await gone.receive(queue.name, 50)
        await gone.send(queue.name, [b"a"])
        _, _, [message], _ = await gone.hear()
    await queue.release(message[1])
    # What the broker delivers to the receive until it hears that its client has gone is given back.
    await until_counts(queue, 1, 0)


async def test_what_cannot_be_served_is_refused(raw: RawClient, queue: quintet.Queue) -> None:
    refused: list[tuple[list[Any], str]] = [
        ([SEND, queue.name, None, 0, [[b"a", None, [], 10**9]]], "InvalidArgument"),
        ([SEND, queue.name, None, 0, []], "InvalidArgument"),
        ([SEND, queue.name, None, 0, ["text"]], "InvalidArgument"),
        ([SEND, queue.name, 0, 0, [[b"a"]]], "InvalidArgument"),
        ([SEND, queue.name, None, 0, [[b"x" * (2**20 + 1)]]], "MessageTooLarge"),
        ([SEND, "none", None, 0, [[b"a"]]], "QueueNotFound"),
        ([ACKNOWLEDGE, queue.name, ["x" * 300]], "InvalidArgument"),
        ([EXTEND, queue.name, [["x", -1]]], "InvalidArgument"),
        ([99, queue.name], "InvalidArgument"),
    ]
    for (tag, *elements), error in refused:
        answer = await raw.ask(tag, *elements)
        assert (answer[0], answer[2]) == (REFUSED, error), (tag, answer)
    for credit, once, wait in (0, False, None), (10**9, False, None), (1, True, 21_000), (1, False, -1):
        number = await raw.receive(queue.name, credit, once=once, wait=wait)
        assert (await raw.hear())[:3] == [REFUSED, number, "InvalidArgument"]
    assert await raw.send(queue.name, [b"still served"])


@pytest.mark.parametrize("number", [CREDIT, CANCEL])
async def test_credit_and_cancel_of_what_is_over_are_passed_over(raw: RawClient, number: int) -> None:
    await raw.say(number, 99, 5)
    assert (await raw.ask(ACKNOWLEDGE, "none", ["a"]))[2] == "QueueNotFound"
