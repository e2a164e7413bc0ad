"""The client's verbs against a real broker."""

import asyncio
import gc

import pytest

import quintet
from quintet import NewMessage
from tests.processes import Broker


async def test_message_comes_as_it_was_sent(queue: quintet.Queue) -> None:
    headers: dict[str, str | bytes] = {"trace": "abc", "blob": b"\xff\x00"}
    sent = await queue.send(b"\x80 not text", key="customer-7", headers=headers)
    [message] = await queue.receive_batch(wait=20)
    assert (message.id, message.value, message.key, message.deliveries) == (sent, b"\x80 not text", "customer-7", 1)
    assert message.headers["trace"] == "abc"
    assert message.headers["blob"].encode(errors="surrogateescape") == b"\xff\x00"
    assert message.sent_at <= message.first_received_at
    assert message.dead_letter is None
    with pytest.raises(UnicodeDecodeError):
        _ = message.text


async def test_text_comes_as_text(queue: quintet.Queue) -> None:
    await queue.send("Grüße")
    [message] = await queue.receive_batch(wait=20)
    assert (message.text, message.key, message.headers) == ("Grüße", None, {})


async def test_sends_at_once_are_each_stored_once(queue: quintet.Queue) -> None:
    ids = await asyncio.gather(*(queue.send(f"{number}") for number in range(2500)))
    received = {}
    async for message in queue.receive(wait=0.2):
        received[message.id] = message.text
    assert received == {message_id: f"{number}" for number, message_id in enumerate(ids)}


async def test_batch_is_stored_whole_or_not_at_all(queue: quintet.Queue) -> None:
    ids = await queue.send_batch([NewMessage("a", key="k"), NewMessage(b"b", headers={"h": "1"})])
    assert [message.id for message in await queue.receive_batch(wait=20)] == ids
    with pytest.raises(quintet.MessageTooLarge):
        await queue.send_batch([NewMessage("c"), NewMessage("x" * (2**20 + 1))])
    assert await queue.receive_batch(wait=0) == []


async def test_empty_batch_is_refused(queue: quintet.Queue) -> None:
    with pytest.raises(quintet.InvalidArgument, match="1 to 10000"):
        await queue.send_batch([])


async def test_only_the_guilty_send_fails(queue: quintet.Queue) -> None:
    values = ["a", "x" * (2**20 + 1), "b", "c"]
    results = await asyncio.gather(*(queue.send(value) for value in values), return_exceptions=True)
    assert [type(result) for result in results] == [str, quintet.MessageTooLarge, str, str]
    assert [message.text for message in await queue.receive_batch(wait=20)] == ["a", "b", "c"]


async def test_delay(queue: quintet.Queue) -> None:
    await queue.send("much later", delay=600)
    assert await queue.receive_batch(wait=0) == []
    assert (await queue.info()).counts == quintet.Counts(0, 0, 1)
    await queue.send("later", delay=0.1)
    assert [message.text for message in await queue.receive_batch(wait=20)] == ["later"]


async def test_acknowledge_release_and_extend(queue: quintet.Queue) -> None:
    await queue.send_batch([NewMessage("a"), NewMessage("b")])
    a, b = await queue.receive_batch(wait=20, visibility_timeout=0.5)
    await asyncio.gather(a.acknowledge(), b.extend(60))
    await a.acknowledge()
    assert await queue.receive_batch(wait=0.8) == []
    await b.release()
    [again] = await queue.receive_batch(wait=20)
    assert (again.id, again.deliveries) == (b.id, 2)
    for verb in b.acknowledge(), b.release(), b.extend(1):
        with pytest.raises(quintet.ReceiptStale):
            await verb
    with pytest.raises(quintet.ReceiptInvalid):
        await queue.acknowledge("nonsense")


async def test_each_receipt_has_its_own_answer(queue: quintet.Queue) -> None:
    await queue.send("a")
    [message] = await queue.receive_batch(wait=20)
    results = await asyncio.gather(
        queue.acknowledge("nonsense"), message.acknowledge(), queue.acknowledge("x" * 300), return_exceptions=True
    )
    assert [type(result) for result in results] == [quintet.ReceiptInvalid, type(None), quintet.InvalidArgument]


async def test_receiver_ends_when_nothing_comes(queue: quintet.Queue) -> None:
    await queue.send("a")
    assert [message.text async for message in queue.receive(wait=0)] == ["a"]
    assert [message.text async for message in queue.receive(wait=0.1)] == []


async def test_receiver_waits_for_what_comes_late(queue: quintet.Queue) -> None:
    receiver = queue.receive()
    first = asyncio.ensure_future(anext(receiver))
    await queue.info()
    await queue.send("a")
    assert (await asyncio.wait_for(first, 30)).text == "a"


async def _values(queue: quintet.Queue, count: int) -> list[str]:
    """Of so many messages, which must be there before any visibility timeout ends."""
    found: list[str] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += [message.text for message in await queue.receive_batch(wait=20)]
    return sorted(found)


async def test_leaving_releases_what_was_fetched(queue: quintet.Queue) -> None:
    await queue.send_batch([NewMessage(str(number)) for number in range(5)])
    async for message in queue.receive():
        await message.acknowledge()
        break
    gc.collect()
    assert await _values(queue, 4) == ["1", "2", "3", "4"]


async def test_what_was_fetched_and_not_handed_out_does_not_count_as_delivered(queue: quintet.Queue) -> None:
    await queue.send_batch([quintet.NewMessage(str(number)) for number in range(5)])
    for _ in range(3):
        async for message in queue.receive():
            await message.acknowledge()
            break
    rest = await queue.receive_batch(10, wait=20)
    assert [message.deliveries for message in rest] == [1, 1]


async def test_closing_the_client_releases_what_was_fetched(broker: Broker, queue: quintet.Queue) -> None:
    await queue.send_batch([NewMessage(str(number)) for number in range(5)])
    async with quintet.connect(broker.http_url) as other:
        receiver = other.queue(queue.name).receive()
        await anext(receiver)
    assert await _values(queue, 4) == ["1", "2", "3", "4"]
    with pytest.raises(StopAsyncIteration):
        await anext(receiver)


async def test_closing_the_client_ends_what_waits(broker: Broker, queue: quintet.Queue) -> None:
    async with quintet.connect(broker.http_url) as other:
        reading = asyncio.ensure_future(anext(other.queue(queue.name).receive(), None))
        waiting = asyncio.ensure_future(other.queue(queue.name).receive_batch(wait=20))
        sending = asyncio.ensure_future(other.queue(queue.name).send("a", delay=60))
        await other.queue(queue.name).info()
    assert await asyncio.wait_for(reading, 30) is None
    with pytest.raises(quintet.ClientClosed):
        await asyncio.wait_for(waiting, 30)
    await sending
    assert (await queue.info()).counts == quintet.Counts(0, 0, 1)


async def test_several_tasks_read_from_one_receiver(queue: quintet.Queue) -> None:
    await queue.send_batch([NewMessage(str(number)) for number in range(300)])
    receiver = queue.receive(wait=0.3)

    async def work() -> list[str]:
        return [message.id async for message in receiver]

    found = await asyncio.gather(*(work() for _ in range(4)))
    ids = [message_id for part in found for message_id in part]
    assert (len(ids), len(set(ids))) == (300, 300)


async def test_slow_readers_get_no_message_that_the_other_has(queue: quintet.Queue) -> None:
    """One reads eight in a visibility timeout and fetches ten at first; what it cannot read in time, the other gets."""
    await queue.send_batch([NewMessage(str(number)) for number in range(12)])

    async def read() -> list[int]:
        seen = []
        async for message in queue.receive(visibility_timeout=2.0, wait=2.0):
            await asyncio.sleep(0.25)
            await message.acknowledge()
            seen.append(int(message.text))
        return seen

    first, second = await asyncio.gather(read(), read())
    assert sorted(first + second) == list(range(12))


async def test_dead_letter_names_its_source(client: quintet.Client, queue: quintet.Queue) -> None:
    source = f"{queue.name}-source"
    await client.create_queue(source, {"deadLetter": {"queue": queue.name, "maxReceives": 1}})
    await client.queue(source).send("a")
    [message] = await client.queue(source).receive_batch(wait=20)
    await message.release()
    [dead] = await queue.receive_batch(wait=20)
    assert dead.dead_letter
    assert (dead.id, dead.dead_letter.source, dead.dead_letter.receives) == (message.id, source, 1)
    assert dead.dead_letter.reason == "MaxReceives"
    assert message.sent_at <= dead.dead_letter.at <= dead.first_received_at + 60_000


async def test_dead_letters_are_brought_back(client: quintet.Client, queue: quintet.Queue) -> None:
    source = client.queue(f"{queue.name}-source")
    await client.create_queue(source.name, {"deadLetter": {"queue": queue.name, "maxReceives": 1}})
    await source.send("a")
    [message] = await source.receive_batch(wait=20)
    await message.release()
    [dead] = await queue.receive_batch(wait=20)
    await dead.release()
    assert (await queue.redrive(rate=50)).started_at
    [back] = await source.receive_batch(wait=20)
    assert (back.id, back.dead_letter) == (message.id, None)
    async with asyncio.timeout(30):
        while (found := await queue.redrive_progress()).running:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)
    assert found == await queue.stop_redrive()
    assert (found.moved, found.rate) == (1, 50)


async def test_a_selector_chooses_messages(queue: quintet.Queue) -> None:
    for region in "eu", "us", "eu":
        await queue.send(region, headers={"region": region})
    [chosen] = await queue.receive_batch(wait=20, selector="headers.region == 'us'")
    assert chosen.text == "us"
    await chosen.acknowledge()
    receiver = queue.receive(wait=20, selector="headers.region == 'eu'")
    for _ in range(2):
        assert (await anext(receiver)).text == "eu"
    await receiver.aclose()
    with pytest.raises(quintet.InvalidArgument, match="Syntax error"):
        await queue.receive_batch(selector="headers.region =")


async def test_priority_and_expiry_come_as_they_were_sent(queue: quintet.Queue) -> None:
    await queue.send("low", priority=1)
    await queue.send("high", priority=10, expiry=60)
    # A receive may answer before a lower priority is read again.
    [high] = await queue.receive_batch(1, wait=20)
    [low] = await queue.receive_batch(1, wait=20)
    assert (high.text, high.priority, low.text, low.priority, low.expires_at) == ("high", 10, "low", 1, None)
    assert high.expires_at == high.sent_at + 60_000


async def test_queues_are_managed(client: quintet.Client, queue: quintet.Queue) -> None:
    name = f"{queue.name}-made"
    made = await client.create_queue(name, {"visibilityTimeout": "1m"})
    assert (made.name, made.origin, made.spec["visibilityTimeout"]) == (name, "Runtime", "1m")
    assert await client.queue(name).info() == made
    with pytest.raises(quintet.QueueExists):
        await client.create_queue(name)
    changed = await client.update_queue(name, {"visibilityTimeout": None, "deliveryDelay": "1s"})
    assert (changed.spec["visibilityTimeout"], changed.spec["deliveryDelay"]) == ("30s", "1s")
    assert [info.name for info in await client.queues(queue.name)] == [queue.name, name]
    await client.queue(name).send("a")
    await client.queue(name).purge()
    assert (await client.queue(name).info()).counts == quintet.Counts(0, 0, 0)
    await client.delete_queue(name)
    with pytest.raises(quintet.QueueNotFound, match=name) as caught:
        await client.queue(name).send("a")
    assert caught.value.status == 404


async def test_refusals_are_typed(client: quintet.Client, queue: quintet.Queue) -> None:
    with pytest.raises(quintet.InvalidArgument, match="visibilityTimeout"):
        await client.create_queue(f"{queue.name}-bad", {"visibilityTimeout": "13h"})
    with pytest.raises(quintet.DeadLetterQueueNotFound):
        await client.create_queue(f"{queue.name}-bad", {"deadLetter": {"queue": "nowhere"}})
    with pytest.raises(quintet.InvalidArgument, match="deduplication"):
        await client.create_queue(f"{queue.name}-bad", {"deduplication": {"contentBased": True}})
    with pytest.raises(quintet.InvalidArgument, match="reserved"):
        await queue.send("a", headers={"quintet-id": "x"})
    with pytest.raises(quintet.InvalidArgument, match="delay"):
        await queue.send("a", delay=16 * 60)
    await client.update_queue(queue.name, {"limits": {"messages": 1, "inFlight": 1}})
    await queue.send("a")
    with pytest.raises(quintet.QueueFull):
        await queue.send("b")
    await queue.receive_batch(wait=20)
    with pytest.raises(quintet.TooManyInFlight):
        await queue.receive_batch(wait=0)


async def test_large_messages_go(queue: quintet.Queue) -> None:
    values = [bytes([number]) * 2**20 for number in range(3)]
    await asyncio.gather(*(queue.send(value) for value in values))
    received = [message.value async for message in queue.receive(wait=0)]
    assert sorted(received) == values
