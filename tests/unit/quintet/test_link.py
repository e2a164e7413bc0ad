"""The client against a broker that reads when it likes, or ends what it should not."""

import asyncio
import itertools
from typing import Any

import pytest

import quintet
from quintet import frames, receiver
from tests.unit.quintet.fake_broker import FakeBroker, speaking

LARGE = 12_000_000


async def answer_all(broker: FakeBroker) -> None:
    while frame := await broker.hear():
        if frame[0] == 1:
            await broker.say(frames.Confirm(frame[1], ["id"] * len(frame[5])))
        elif frame[0] in (5, 6, 7):
            await broker.say(frames.Settled(frame[1], [None] * len(frame[3])))


def paused(link: Any) -> bool:
    """Whether what is written waits for the broker."""
    found: bool = link._socket._writer.protocol._paused
    return found


async def test_call_that_is_cancelled_leaves_the_others_waiting() -> None:
    reads = asyncio.Event()

    async def speak(broker: FakeBroker) -> None:
        broker.transport.pause_reading()
        await reads.wait()
        broker.transport.resume_reading()
        await answer_all(broker)

    async with speaking(speak) as url, quintet.connect(url, timeout=60) as client:
        sends = [asyncio.ensure_future(client.queue(name).send(bytes(LARGE))) for name in "abc"]
        async with asyncio.timeout(30):
            while not any(paused(link) for link in client._connection.links._open.values()):  # noqa: ASYNC110
                await asyncio.sleep(0)
        selector = f"'{'x' * 300_000}' == 'y'"
        receive = asyncio.ensure_future(client.queue("d").receive_batch(wait=0, selector=selector))
        for _ in range(20):
            await asyncio.sleep(0)
        receive.cancel()
        await asyncio.wait([receive])
        for _ in range(20):
            await asyncio.sleep(0)
        reads.set()
        assert await asyncio.gather(*sends) == ["id"] * 3


async def test_iterator_without_an_end_goes_on_where_a_broker_ends_it() -> None:
    numbers = itertools.count()

    async def speak(broker: FakeBroker) -> None:
        while frame := await broker.hear():
            if frame[0] != 2:
                continue
            if next(numbers) < 3:
                await broker.say(frames.Deliver(frame[1], [], open=False))
            else:
                found = frames.Delivered("1", "r", b"a", None, [], 1, 1, 1, None, None, None, None, None)
                await broker.say(frames.Deliver(frame[1], [found], open=True))

    async with speaking(speak) as url, quintet.connect(url, timeout=60) as client:
        assert (await anext(client.queue("a").receive())).text == "a"
        assert next(numbers) == 4


async def test_bad_argument_fails_its_own_call_alone() -> None:
    bad: Any = object()
    async with speaking(answer_all) as url, quintet.connect(url, timeout=60) as client:
        queue = client.queue("a")
        for _ in range(2):
            results = await asyncio.gather(
                queue.acknowledge("good"),
                queue.acknowledge(bad),
                queue.extend("good", 1e18),
                queue.extend("good", float("nan")),
                queue.extend("good", 10),
                queue.release("\ud800"),
                queue.acknowledge("good"),
                return_exceptions=True,
            )
            kinds = [type(result) for result in results]
            ok = type(None)
            invalid = quintet.InvalidArgument
            assert kinds == [ok, TypeError, invalid, invalid, ok, UnicodeEncodeError, ok]
        with pytest.raises(quintet.InvalidArgument):
            await queue.send("a", expiry=1e30)
        assert await queue.send("a") == "id"


async def test_messages_of_a_batch_that_are_not_settled_are_told() -> None:
    async def speak(broker: FakeBroker) -> None:
        while frame := await broker.hear():
            stale = frames.Problem("ReceiptStale", 410, "")
            results = [stale if receipt.startswith("stale") else None for receipt in frame[3]]
            await broker.say(frames.Settled(frame[1], results))

    async with speaking(speak) as url, quintet.connect(url, timeout=60) as client:
        queue = client.queue("a")
        await queue.acknowledge_batch([])
        await queue.acknowledge_batch(["good", "good too"])
        for verb in queue.acknowledge_batch, queue.release_batch:
            with pytest.raises(quintet.NotSettled) as caught:
                await verb(["good", "stale 1", "good", "stale 2"])
            assert [receipt for receipt, _ in caught.value.failed] == ["stale 1", "stale 2"]
            assert {type(error) for _, error in caught.value.failed} == {quintet.ReceiptStale}


async def test_text_and_bytes_are_messages() -> None:
    async with speaking(answer_all) as url, quintet.connect(url, timeout=60) as client:
        assert await client.queue("a").send_batch(["a", b"b", quintet.NewMessage("c")]) == ["id"] * 3


async def test_more_than_one_answer_holds_is_refused() -> None:
    async with speaking(answer_all) as url, quintet.connect(url) as client:
        with pytest.raises(quintet.InvalidArgument, match="1000"):
            await client.queue("a").receive_batch(1001)


@pytest.mark.parametrize("welcome", [["hi"], frames.Moved("a", "b"), 7])
async def test_what_does_not_welcome_is_no_broker(welcome: Any) -> None:
    async with speaking(answer_all, welcome) as url, quintet.connect(url) as client:
        with pytest.raises(quintet.QuintetError, match="no broker"):
            await client.queue("a").send("a")


async def test_failures_far_apart_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they last longer than the timeout, as with a consumer that waits for days, while brokers come and go."""
    monkeypatch.setattr(receiver, "WELL", 0.1)
    monkeypatch.setattr(receiver, "pauses", lambda: itertools.repeat(0.3))
    failures = itertools.count()

    async def speak(broker: FakeBroker) -> None:
        while frame := await broker.hear():
            if next(failures) < 5:
                await broker.say(frames.Refused(frame[1], "Unavailable", 503, ""))
            else:
                found = frames.Delivered("1", "r", b"a", None, [], 1, 1, 1, None, None, None, None, None)
                await broker.say(frames.Deliver(frame[1], [found], open=True))

    async with speaking(speak) as url, quintet.connect(url, timeout=1.0) as client:
        assert (await anext(client.queue("a").receive())).text == "a"
