"""What docs/protocol.md promises of messages that travel as a batch."""

import base64
import uuid
from collections.abc import Iterable
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

import quintet
from tests.integration.websocket.raw import (
    ACKNOWLEDGE,
    EXTEND,
    REFUSED,
    RELEASE,
    SEND_BATCH,
    SETTLED,
    STORED,
    RawClient,
)
from tests.integration.websocket.test_protocol import until_counts

Headers = list[tuple[str, bytes]]


def batch_of(records: Iterable[tuple[bytes | None, bytes, Headers]]) -> bytes:
    """Of keys, values and headers."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for place, (key, value, headers) in enumerate(records):
        builder.append(place, 0, key, value, headers)
    return bytes(builder.build())


def batch(*values: bytes, key: bytes | None = None, headers: Headers | None = None) -> bytes:
    return batch_of([(key, value, headers or []) for value in values])


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def values(together: list[Any]) -> list[bytes]:
    found = []
    for _, _, count, _, _, _, data, _ in together:
        some = [record.value for record in DefaultRecordBatch(data)]
        assert len(some) == count
        found += some
    return found


def names(together: list[Any]) -> list[str]:
    """Ids of all messages."""
    firsts = [(int.from_bytes(first), count) for _, first, count, *_ in together]
    return [str(uuid.UUID(int=first + place)) for first, count in firsts for place in range(count)]


def receipt(handle: bytes, place: int) -> str:
    offset = int.from_bytes(handle[6:14]) + place
    return base64.urlsafe_b64encode(handle[:6] + offset.to_bytes(8) + handle[14:]).decode()


async def test_round(raw: RawClient, queue: quintet.Queue) -> None:
    sent = batch(*numbered(10), headers=[("h", b"1")])
    tag, _, first = await raw.ask(SEND_BATCH, queue.name, 77, 0, sent)
    assert tag == STORED
    assert await raw.ask(SEND_BATCH, queue.name, 77, 0, sent) == [STORED, 2, first]
    [[handle, told, count, deliveries, sent_at, received_at, data, sequence]] = await raw.pull_batches(queue.name, 100)
    assert (told, count, deliveries, sequence) == (first, 10, 1, None)
    assert 0 < sent_at <= received_at
    assert [record.headers for record in DefaultRecordBatch(data)] == [[("h", b"1")]] * 10
    assert await raw.ask(ACKNOWLEDGE, queue.name, [[handle, count]]) == [SETTLED, 4, []]
    await until_counts(queue, 0, 0)


async def test_batches_are_cut_as_credit_has_it_and_every_message_keeps_its_id(
    raw: RawClient, queue: quintet.Queue
) -> None:
    _, _, first = await raw.ask(SEND_BATCH, queue.name, None, 0, batch(*numbered(100)))
    parts = [await raw.pull_batches(queue.name, 30) for _ in range(4)]
    assert [len(values(part)) for part in parts] == [30, 30, 30, 10]
    together = [one for part in parts for one in part]
    assert values(together) == numbered(100)
    assert names(together) == names([[b"", first, 100, b""]])


async def test_batches_come_as_messages_to_others(raw: RawClient, queue: quintet.Queue) -> None:
    _, _, first = await raw.ask(SEND_BATCH, queue.name, None, 0, batch(*numbered(8), headers=[("h", b"1")]))
    found = await raw.pull(queue.name, 3)
    assert [message[2] for message in found] == numbered(3)
    assert [message[0] for message in found] == names([[b"", first, 3, b""]])
    assert {tuple(map(tuple, message[4])) for message in found} == {(("h", b"1"),)}
    over_http = [message async for message in queue.receive(wait=0.01)]
    assert [message.value for message in over_http] == numbered(8)[3:]


async def test_messages_come_singly_where_they_are_more_than_content(raw: RawClient, queue: quintet.Queue) -> None:
    await queue.send("first", priority=5)
    await raw.ask(SEND_BATCH, queue.name, None, 0, batch(*numbered(5)))
    [message] = await raw.pull(queue.name, 1)
    assert (message[2], message[8]) == (b"first", 5)
    assert values(await raw.pull_batches(queue.name, 10)) == numbered(5)


async def test_of_what_was_delivered_together_each_can_be_settled(raw: RawClient, queue: quintet.Queue) -> None:
    await raw.ask(SEND_BATCH, queue.name, None, 0, batch(*numbered(10)))
    [[handle, _, count, *_]] = await raw.pull_batches(queue.name, 10)
    assert (await raw.ask(ACKNOWLEDGE, queue.name, [receipt(handle, 2), receipt(handle, 9)]))[2] == []
    assert (await raw.ask(EXTEND, queue.name, [[receipt(handle, 3), 60_000]]))[2] == []
    # Acknowledged before are two of them: that is fine again, and they are no longer held.
    results = (await raw.ask(RELEASE, queue.name, [[handle, count]]))[2]
    assert [place for place, result in enumerate(results) if result] == [2, 9]
    await until_counts(queue, 8, 0)
    again = await raw.pull(queue.name, 10)
    assert sorted(message[2] for message in again) == [b"%d" % n for n in range(10) if n not in (2, 9)]
    assert {message[7] for message in again} == {2}


async def test_what_nobody_saw_is_given_back_as_if_it_had_not_been_delivered(
    raw: RawClient, queue: quintet.Queue
) -> None:
    await raw.ask(SEND_BATCH, queue.name, None, 0, batch(*numbered(10)))
    [[handle, _, count, *_]] = await raw.pull_batches(queue.name, 10)
    assert (await raw.ask(RELEASE, queue.name, [[handle, count]], False))[2] == []
    assert {message[7] for message in await raw.pull(queue.name, 10)} == {1}


async def test_a_key_is_kept_where_the_queue_looks_at_each_message(raw: RawClient, queue: quintet.Queue) -> None:
    tag, _, first = await raw.ask(SEND_BATCH, queue.name, 78, 0, batch(*numbered(5), key=b"group"))
    assert tag == STORED
    assert await raw.ask(SEND_BATCH, queue.name, 78, 0, batch(*numbered(5), key=b"group")) == [STORED, 2, first]
    found = await raw.pull(queue.name, 10)
    assert [(message[0], message[3]) for message in found] == [(one, b"group") for one in names([[b"", first, 5, b""]])]


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", "InvalidArgument"),
        (batch(*numbered(5))[:-1], "InvalidArgument"),
        (batch(b"x", b"y", b"z", b"w", headers=[("quintet-id", b"mine")]), "InvalidArgument"),
        (batch(b"x", headers=[("quintet-id", b"mine")]), "InvalidArgument"),
        (batch(*[b"x"] * 10_001), "InvalidArgument"),
        (batch(b"small", b"small", b"small", bytes(1024 * 1024 + 1)), "MessageTooLarge"),
    ],
)
async def test_what_is_no_batch_of_messages_is_refused(
    raw: RawClient, queue: quintet.Queue, sent: bytes, error: str
) -> None:
    answer = await raw.ask(SEND_BATCH, queue.name, None, 0, sent)
    assert (answer[0], answer[2]) == (REFUSED, error)
    await until_counts(queue, 0, 0)


async def test_a_handle_stands_for_no_more_than_one_request_settles(raw: RawClient, queue: quintet.Queue) -> None:
    await raw.ask(SEND_BATCH, queue.name, None, 0, batch(*numbered(5)))
    [[handle, *_]] = await raw.pull_batches(queue.name, 10)
    for receipts in [[handle, 10_001]], [[handle, 10_000], [handle, 1]], [[handle, 0]]:
        answer = await raw.ask(ACKNOWLEDGE, queue.name, receipts)
        assert (answer[0], answer[2]) == (REFUSED, "InvalidArgument")
    results = (await raw.ask(ACKNOWLEDGE, queue.name, [[handle, 6], [b"nonsense", 2]]))[2]
    assert [result and result[0] for result in results] == [None] * 5 + ["ReceiptStale"] + ["ReceiptInvalid"] * 2
