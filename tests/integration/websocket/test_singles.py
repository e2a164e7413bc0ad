"""One message a frame, many frames at once: they are served together, and each has its own answer."""

from typing import Any

import quintet
from tests.integration.websocket.raw import ACKNOWLEDGE, CONFIRM, REFUSED, SEND, SETTLED, RawClient
from tests.integration.websocket.test_protocol import until_counts
from tests.processes import Broker


async def answers(raw: RawClient, count: int) -> dict[int, list[Any]]:
    """By request."""
    return {frame[1]: frame for frame in [await raw.hear() for _ in range(count)]}


async def test_each_is_confirmed_with_its_own_ids_in_order(raw: RawClient, queue: quintet.Queue) -> None:
    for number in range(500):
        await raw.say(SEND, 1000 + number, queue.name, None, 0, [[b"%d" % number], [b"again"]])
    told = await answers(raw, 500)
    assert {frame[0] for frame in told.values()} == {CONFIRM}
    ids = [one for number in range(500) for one in told[1000 + number][2]]
    assert len(set(ids)) == 1000
    found = [message async for message in queue.receive(wait=0.01)]
    assert [message.id for message in found] == ids
    assert [message.value for message in found[::2]] == [b"%d" % number for number in range(500)]


async def test_one_that_is_wrong_is_refused_alone(raw: RawClient, queue: quintet.Queue) -> None:
    wrong = {7: [b"x", None, [["quintet-id", b"mine"]]], 30: [bytes(1024 * 1024 + 1)], 31: [b"x", None, [], -1]}
    for number in range(50):
        await raw.say(SEND, number, queue.name, None, 0, [wrong.get(number, [b"%d" % number])])
    told = await answers(raw, 50)
    assert {number for number, frame in told.items() if frame[0] == REFUSED} == set(wrong)
    await until_counts(queue, 47, 0)


async def test_what_fits_into_a_full_queue_is_stored_and_the_rest_refused(
    broker: Broker, raw: RawClient, queue: quintet.Queue
) -> None:
    async with quintet.connect(broker.http_url) as client:
        await client.update_queue(queue.name, {"limits": {"messages": 10}})
    for number in range(20):
        await raw.say(SEND, number, queue.name, None, 0, [[b"x"]])
    told = await answers(raw, 20)
    assert [told[number][0] for number in range(20)] == [CONFIRM] * 10 + [REFUSED] * 10
    assert {told[number][2] for number in range(10, 20)} == {"QueueFull"}


async def test_each_acknowledgement_has_its_own_results(raw: RawClient, queue: quintet.Queue) -> None:
    await raw.send(queue.name, [b"%d" % number for number in range(100)])
    receipts = [message[1] for message in await raw.pull(queue.name, 100)]
    for number, receipt in enumerate(receipts):
        await raw.say(ACKNOWLEDGE, 1000 + number, queue.name, [receipt] if number % 10 else ["nonsense", receipt])
    told = await answers(raw, 100)
    assert {frame[0] for frame in told.values()} == {SETTLED}
    for number in range(100):
        results = told[1000 + number][2]
        assert results == [] if number % 10 else [results[0][0], results[1]] == ["ReceiptInvalid", None]
    await until_counts(queue, 0, 0)
