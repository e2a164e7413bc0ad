"""Batches are what brokers take, whole or not at all; ids and receipts of what is in them follow each other."""

import base64
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quintet
from quintet import batches, frames, receipts
from quintet.message import Message, Run, ids
from quintet_broker.engine.records import sealed
from quintet_broker.services import receipts as broker_receipts
from tests import raw_batches
from tests.unit.quintet.fake_broker import FakeBroker, speaking

HANDLE = broker_receipts.handle(3, (1, 2**40 - 1, 7, 0))
QUEUE: Any = None

headers = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3)
records = st.lists(st.tuples(st.binary(max_size=300), st.none() | st.binary(max_size=5), headers), min_size=1)


def plainly(found: Sequence[Any]) -> list[Any]:
    return [(record.value, record.key, record.headers) for record in found]


@given(records)
def test_broker_takes_the_batches_that_the_client_encodes(plain: list[Any]) -> None:
    batch, found = sealed.seal(batches.encode(plain), (1, 2), 3)
    assert plainly(found) == plain
    assert plainly(batches.decode(batch.data)) == plain
    middle = len(plain) // 2
    assert plainly(batches.decode(batch.part(middle, len(plain) - middle).data)) == plain[middle:]


@pytest.mark.parametrize("size", [0, 59, 60, 63, 64, 8180, 8191, 8192, 2**20])
def test_a_length_takes_as_many_bytes_as_it_must(size: int) -> None:
    content = bytes(size)
    plain: list[Any] = [(content, content, [(size * "n", content)])] * 2
    assert batches.encode(plain)[61:] == b"".join(
        [raw_batches.record(place, content, content, [(size * b"n", content)]) for place in range(2)]
    )


def test_batch_of_as_many_as_a_send_takes() -> None:
    plain: list[Any] = [(b"", None, [])] * 10_000
    assert plainly(batches.decode(batches.encode(plain))) == plain
    assert sealed.seal(batches.encode(plain), (1, 2), 3)[0].count == 10_000


@given(records, st.data())
def test_damaged_batch_is_told(plain: list[Any], data: st.DataObject) -> None:
    batch = bytearray(batches.encode(plain))
    # What lies before the CRC is the broker's.
    batch[data.draw(st.integers(17, len(batch) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError, match="damaged"):
        batches.decode(bytes(batch))


@given(st.integers(0, 2**127) | st.integers(2**48 - 20, 2**48), st.integers(1, 40))
def test_ids_follow_each_other(first: int, count: int) -> None:
    assert ids(first, count) == [str(uuid.UUID(int=first + place)) for place in range(count)]


def run(delivery: int, count: int) -> list[Message]:
    """Messages that were delivered together."""
    batch = batches.encode([(b"%d" % place, None, []) for place in range(count)])
    handle = broker_receipts.handle(3, (1, 1000 * delivery, 7, 0))
    return frames.DeliverBatches(1, [frames.Together(handle, bytes(16), count, 1, 2, 3, batch)], True).of(QUEUE)


def test_message_of_a_batch_has_its_place() -> None:
    batch = batches.encode([(b"a", None, []), (b"b", b"k\xff", [("h", b"x")])])
    first = uuid.uuid4()
    together = frames.Together(HANDLE, first.bytes, 2, 4, 5, 6, batch)
    _, message = together.of(QUEUE)
    assert (message.value, message.key, message.headers) == (b"b", "k\udcff", {"h": "x"})
    assert message.id == str(uuid.UUID(int=first.int + 1))
    assert (message.deliveries, message.sent_at, message.first_received_at) == (4, 5, 6)
    assert (message.priority, message.expires_at, message.dead_letter) == (None, None, None)
    assert message.receipt == broker_receipts.receipts_of(3, (1, 2**40, 7, 1))[0]
    assert base64.urlsafe_b64decode(message.receipt) != HANDLE
    assert message.id in repr(message)


@given(st.lists(st.sampled_from([*run(0, 5), *run(1, 5), "a", "b"]), max_size=20), st.randoms())
def test_messages_are_settled_in_runs_and_each_hears_its_own_result(held: list[Any], random: Any) -> None:
    random.shuffle(held)
    packed, results = receipts.packed(held)
    named: list[str] = []
    for one in packed:
        if isinstance(one, str):
            named.append(one)
        else:
            handle, count = one
            some = Run(handle, 0, 1, 2, 3)
            named += [some.receipt_at(place) for place in range(count)]
    problems = [frames.Problem(receipt, 410, "") for receipt in named]
    wanted = [one if isinstance(one, str) else one.receipt for one in held]
    assert [found.name for found in results(frames.Settled(1, list(problems))) if found] == wanted
    assert list(results(frames.Settled(1, []))) == [None] * len(held)


def test_what_was_delivered_together_is_settled_together() -> None:
    one, other = run(0, 100), run(1, 100)
    assert len(receipts.packed([*reversed(other), *one])[0]) == 2
    assert len(receipts.packed([*one[:50], *one[51:]])[0]) == 2


async def test_many_messages_go_as_a_batch_and_few_as_they_are() -> None:
    heard: list[int] = []

    async def speak(broker: FakeBroker) -> None:
        while frame := await broker.hear():
            heard.append(frame[0])
            if frame[0] == 8:
                await broker.say(frames.Stored(frame[1], uuid.UUID(int=0xFF).bytes))
            else:
                await broker.say(frames.Confirm(frame[1], ["id"] * len(frame[5])))

    async with speaking(speak) as url, quintet.connect(url, timeout=60) as client:
        queue = client.queue("a")
        stored = await queue.send_batch([b"x"] * 100)
        assert stored == [str(uuid.UUID(int=0xFF + place)) for place in range(100)]
        assert await queue.send("a") == "id"
        assert await queue.send_batch([quintet.NewMessage("a", delay=1)] * 100) == ["id"] * 100
    assert heard == [8, 1, 1]


async def test_batch_that_is_damaged_breaks_its_connection() -> None:
    """Its messages come again, perhaps whole; what was delivered besides is kept."""

    async def speak(broker: FakeBroker) -> None:
        while frame := await broker.hear():
            batch = batches.encode([(b"a", None, [])])
            if not broken:
                broken.append(True)
                batch = batch[:-1] + b"x"
            together = frames.Together(HANDLE, bytes(16), 1, 1, 1, 1, batch)
            await broker.say(frames.DeliverBatches(frame[1], [together], open=False))

    broken: list[bool] = []
    async with speaking(speak) as url, quintet.connect(url, timeout=60) as client:
        [message] = await client.queue("a").receive_batch(1, wait=1)
        assert message.text == "a"
    assert broken
