"""Messages that travel as a batch, by the client and a real broker."""

import asyncio
import random

import pytest

import quintet

MANY = 300
VALUES = [f"{number}" for number in range(MANY)]


async def drained(queue: quintet.Queue, count: int) -> list[quintet.Message]:
    """So many messages; no more are there."""
    found: list[quintet.Message] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += await queue.receive_batch(1000, wait=20)
    assert await queue.receive_batch(wait=0) == []
    return found


async def test_batch_comes_as_it_was_sent_and_is_settled_at_once(queue: quintet.Queue) -> None:
    headers = {"trace": "abc"}
    sent = await queue.send_batch([quintet.NewMessage(value, headers=headers) for value in VALUES])
    found = await drained(queue, MANY)
    assert [(message.id, message.text) for message in found] == list(zip(sent, VALUES, strict=True))
    assert {(str(message.headers), message.key, message.deliveries) for message in found} == {(str(headers), None, 1)}
    await queue.acknowledge_batch(found)
    assert (await queue.info()).counts == quintet.Counts(0, 0, 0)


async def test_single_messages_of_a_batch_are_settled_by_many_tasks(queue: quintet.Queue) -> None:
    await queue.send_batch(VALUES)
    found = await drained(queue, MANY)
    random.shuffle(found)
    await found[0].extend(600)
    kept, others = found[0], found[1:]
    await asyncio.gather(*(message.acknowledge() for message in others))
    assert (await queue.info()).counts == quintet.Counts(0, 1, 0)
    await queue.acknowledge(kept.receipt)
    assert (await queue.info()).counts == quintet.Counts(0, 0, 0)


async def test_who_lost_a_message_is_told_which(queue: quintet.Queue) -> None:
    await queue.send_batch(VALUES)
    found = await drained(queue, MANY)
    lost = found[10:20]
    await queue.release_batch(lost)
    again = await drained(queue, len(lost))
    assert {message.deliveries for message in again} == {2}
    with pytest.raises(quintet.NotSettled) as caught:
        await queue.acknowledge_batch(found)
    assert [message for message, _ in caught.value.failed] == lost
    assert {type(error) for _, error in caught.value.failed} == {quintet.ReceiptStale}
    assert (await queue.info()).counts == quintet.Counts(0, len(lost), 0)
    await queue.acknowledge_batch(again)


async def test_what_a_receiver_did_not_hand_out_is_given_back(queue: quintet.Queue) -> None:
    await queue.send_batch(VALUES)
    read = []
    receiver = queue.receive(ahead=200)
    async for message in receiver:
        read.append(message)
        if len(read) == 5:
            break
    await receiver.aclose()
    rest = await drained(queue, MANY - len(read))
    # Nobody saw them before.
    assert {message.deliveries for message in rest} == {1}
    await queue.acknowledge_batch([*read, *rest])
    assert (await queue.info()).counts == quintet.Counts(0, 0, 0)


async def test_batches_and_other_messages_alternate(queue: quintet.Queue) -> None:
    await queue.send_batch(VALUES)
    await queue.send("urgent", priority=9)
    await queue.send_batch(VALUES)
    found = [message async for message in queue.receive(wait=0.5)]
    assert sorted(message.text for message in found) == sorted([*VALUES, *VALUES, "urgent"])
    await queue.acknowledge_batch(found)
    assert (await queue.info()).counts == quintet.Counts(0, 0, 0)


@pytest.mark.parametrize("spec", [{"ordering": "Fifo"}, {"shards": 4}])
async def test_batch_goes_into_each_kind_of_queue(client: quintet.Client, spec: dict[str, object]) -> None:
    name = f"batches-{random.getrandbits(32):08x}"
    await client.create_queue(name, spec)
    queue = client.queue(name)
    sent = await queue.send_batch([quintet.NewMessage(value, key=f"group-{len(value)}") for value in VALUES])
    found: list[quintet.Message] = []
    async with asyncio.timeout(60):
        while len(found) < MANY:
            some = await queue.receive_batch(1000, wait=20)
            await queue.acknowledge_batch(some)
            found += some
    assert sorted(message.id for message in found) == sorted(sent)


async def test_messages_with_deduplication_ids_are_sent_once_and_told_their_ids(client: quintet.Client) -> None:
    name = f"batches-{random.getrandbits(32):08x}"
    await client.create_queue(name, {"ordering": "Fifo"})
    queue = client.queue(name)
    new = [quintet.NewMessage(value, "group", {"h": "1"}, deduplication_id=f"id-{value}") for value in VALUES]
    sent = await queue.send_batch(new)
    assert await queue.send_batch(new) == sent
    assert [await queue.send(VALUES[0], key="group", deduplication_id="id-0")] == sent[:1]
    found = await drained(queue, MANY)
    assert [(message.id, message.deduplication_id) for message in found] == [
        (one, f"id-{value}") for one, value in zip(sent, VALUES, strict=True)
    ]
    assert {str(message.headers) for message in found} == {str({"h": "1"})}
    sequences = [message.sequence for message in found]
    assert sequences == list(range(sequences[0] or 0, (sequences[0] or 0) + MANY))
    with pytest.raises(quintet.InvalidArgument, match="reserved"):
        await queue.send("x", key="group", headers={"quintet-deduplication-id": "mine"})
