"""What docs/protocol.md promises of batches in a Fifo queue."""

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

import quintet
from tests.integration.websocket.raw import ACKNOWLEDGE, CONFIRM, REFUSED, SEND_BATCH, SETTLED, STORED, RawClient
from tests.integration.websocket.test_batches import batch_of, names, values
from tests.processes import Broker

ID = "quintet-deduplication-id"


@pytest.fixture
async def queue(broker: Broker) -> AsyncIterator[quintet.Queue]:
    async with quintet.connect(broker.http_url) as client:
        name = f"ws-{uuid.uuid4().hex[:8]}"
        await client.create_queue(name, {"ordering": "Fifo"})
        yield client.queue(name)


def batch(ids: Sequence[str | None], groups: Sequence[bytes] = (b"group",)) -> bytes:
    """Messages of these deduplication ids, groups in turn."""
    return batch_of(
        (
            groups[place % len(groups)],
            b"%d" % place,
            [("h", b"1")] + ([(ID, one.encode())] if one is not None else []),
        )
        for place, one in enumerate(ids)
    )


def ids(count: int, start: int = 0) -> list[str]:
    return [f"id-{number}" for number in range(start, start + count)]


def sequences(together: list[Any]) -> list[int]:
    return [first + place for *_, count, _, _, _, _, first in together for place in range(count)]


async def test_a_batch_comes_as_it_was_sent_with_sequences_and_deduplication_ids(
    raw: RawClient, queue: quintet.Queue
) -> None:
    answers = [await raw.ask(SEND_BATCH, queue.name, 77, n, batch(ids(10, 10 * n), [b"%d" % n])) for n in range(2)]
    assert [answer[0] for answer in answers] == [STORED] * 2
    found = await raw.pull_batches(queue.name, 100)
    assert names(found) == [one for answer in answers for one in names([[b"", answer[2], 10, b""]])]
    assert sequences(found) == list(range(sequences(found)[0], sequences(found)[0] + 20))
    records = [record for *_, data, _ in found for record in DefaultRecordBatch(data)]
    assert [record.headers for record in records] == [[("h", b"1"), (ID, one.encode())] for one in ids(20)]
    settled = await raw.ask(ACKNOWLEDGE, queue.name, [[handle, count] for handle, _, count, *_ in found])
    assert settled[::2] == [SETTLED, []]


async def test_a_group_goes_on_once_what_came_of_it_is_settled(raw: RawClient, queue: quintet.Queue) -> None:
    for number, group in enumerate((b"a", b"a", b"b")):
        await raw.ask(SEND_BATCH, queue.name, 77, number, batch(ids(10, 10 * number), [group]))
    first = await raw.pull_batches(queue.name, 15)
    assert values(first) == [b"%d" % n for n in [*range(10), *range(5)]]
    other = await raw.pull_batches(queue.name, 100)
    assert names(other) == names([[b"", (await duplicate(raw, queue, 20)), 10, b""]])
    await raw.ask(ACKNOWLEDGE, queue.name, [[handle, count] for handle, _, count, *_ in first])
    rest = await raw.pull(queue.name, 100)
    assert [message[2] for message in rest] == [b"%d" % n for n in range(5, 10)]
    assert [message[10] for message in rest] == list(range(sequences(first)[-1] + 1, sequences(other)[0]))
    assert [message[11] for message in rest] == ids(5, 15)


async def duplicate(raw: RawClient, queue: quintet.Queue, number: int) -> bytes:
    """The id of the message that was sent under that deduplication id."""
    tag, _, [found] = await raw.ask(SEND_BATCH, queue.name, None, 0, batch(ids(1, number), [b"b"]))
    assert tag == CONFIRM
    return uuid.UUID(found).bytes


async def test_duplicates_are_confirmed_with_the_first_and_not_stored(raw: RawClient, queue: quintet.Queue) -> None:
    _, _, first = await raw.ask(SEND_BATCH, queue.name, 77, 0, batch(ids(10)))
    before = names([[b"", first, 10, b""]])
    assert await raw.ask(SEND_BATCH, queue.name, 77, 0, batch(ids(10))) == [CONFIRM, 2, before]
    tag, _, again = await raw.ask(SEND_BATCH, queue.name, 77, 1, batch(ids(10, 5)))
    assert (tag, again[:5]) == (CONFIRM, before[5:])
    tag, _, twice = await raw.ask(SEND_BATCH, queue.name, 77, 2, batch(["x", "y", "x", "z"]))
    assert (tag, twice[0], len(set(twice))) == (CONFIRM, twice[2], 3)
    found = await raw.pull(queue.name, 100)
    assert [message[0] for message in found] == [*before, *again[5:], *dict.fromkeys(twice)]
    assert [message[10] for message in found] == list(range(found[0][10], found[0][10] + 18))


@pytest.mark.parametrize("some", [[None] * 10, [None, *ids(9)], ids(3)])
async def test_messages_need_no_deduplication_id_and_may_be_few(
    raw: RawClient, queue: quintet.Queue, some: list[str | None]
) -> None:
    await raw.ask(SEND_BATCH, queue.name, 77, 0, batch(some, [b"a", b"b"]))
    found = await raw.pull(queue.name, 100)
    assert [(message[3], message[4], message[11]) for message in found] == [
        ([b"a", b"b"][place % 2], [["h", b"1"]], one) for place, one in enumerate(some)
    ]


async def test_ids_of_values_are_told(raw: RawClient, queue: quintet.Queue, broker: Broker) -> None:
    async with quintet.connect(broker.http_url) as client:
        await client.create_queue(f"{queue.name}-c", {"ordering": "Fifo", "deduplication": {"contentBased": True}})
    tag, _, _ = await raw.ask(SEND_BATCH, f"{queue.name}-c", 77, 0, batch([None] * 10))
    assert tag == CONFIRM
    found = await raw.pull(f"{queue.name}-c", 100)
    assert all(len(message[11]) == 64 for message in found)


@pytest.mark.parametrize("wrong", ["no blanks", "", "ä", "x" * 129])
async def test_what_is_no_deduplication_id_is_refused(raw: RawClient, queue: quintet.Queue, wrong: str) -> None:
    answer = await raw.ask(SEND_BATCH, queue.name, None, 0, batch([*ids(9), wrong]))
    assert (answer[0], answer[2]) == (REFUSED, "InvalidArgument")
    assert "deduplication id" in answer[4]


async def test_a_queue_without_order_takes_no_deduplication_ids(
    raw: RawClient, queue: quintet.Queue, broker: Broker
) -> None:
    async with quintet.connect(broker.http_url) as client:
        await client.create_queue(f"{queue.name}-s")
    for keys in [b"group"], [None]:
        answer = await raw.ask(SEND_BATCH, f"{queue.name}-s", None, 0, batch(ids(10), keys))  # type: ignore[arg-type]
        assert (answer[0], answer[2]) == (REFUSED, "InvalidArgument")
        assert "deduplication id" in answer[4]


async def test_a_queue_with_order_takes_no_message_without_a_key(raw: RawClient, queue: quintet.Queue) -> None:
    answer = await raw.ask(SEND_BATCH, queue.name, None, 0, batch(ids(10), [b"a", None]))  # type: ignore[list-item]
    assert (answer[0], answer[2]) == (REFUSED, "InvalidArgument")
    assert "key" in answer[4]
