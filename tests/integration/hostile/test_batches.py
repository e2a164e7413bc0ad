"""Batches that clients encode, and lie about: refused, or stored so that all of them are delivered."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest
from aiokafka.record.default_records import DefaultRecordBatch

import quintet
from tests.integration.hostile.others import MIB, Others
from tests.integration.hostile.sockets import Socket, frame, welcomed
from tests.processes import Broker
from tests.raw_batches import batch, batch_of, bombs, mutant, record

SEND, RECEIVE, ACKNOWLEDGE, RELEASE, SEND_BATCH = 1, 2, 5, 6, 8
CONFIRM, SETTLED, DELIVER, REFUSED, DELIVER_BATCHES, STORED = 17, 18, 19, 20, 22, 23
BOMBS = bombs()
REFUSED_BATCHES = {
    "reserved header": (
        batch_of(*(record(place, headers=[(b"quintet-id", bytes(16))]) for place in range(5))),
        "reserved",
    ),
    "too large": (batch_of(*(record(place, bytes(2 * MIB)) for place in range(5))), "at most"),
    "large by its headers": (
        batch_of(*(record(place, headers=[(b"a", bytes(2 * MIB))]) for place in range(5))),
        "at most",
    ),
    "large by names of headers": (
        batch_of(*(record(place, headers=[("😀".encode() * (MIB // 2), b"")]) for place in range(5))),
        "at most",
    ),
    "a later one too large": (batch_of(*(record(place) for place in range(5)), record(5, bytes(2 * MIB))), "at most"),
    "compressed": (batch(b"\x1f\x8b" + bytes(50), 5, attributes=1), "compression"),
    "transactional": (batch(b"".join(record(place) for place in range(5)), 5, attributes=16), "transaction"),
    "offsets with a hole": (batch(record(0) + record(2), 2), "offsets"),
    "more than told": (batch(record(0) + record(1), 1), "read"),
    "less than told": (batch(record(0) + record(1), 3), "read"),
    "no header's value": (batch_of(*(record(place, headers=[(b"a", None)]) for place in range(5))), "no value"),
}


@pytest.fixture
async def queue(victim: Broker) -> AsyncIterator[quintet.Queue]:
    async with quintet.connect(victim.http_url) as client:
        name = f"batches-{random.randrange(1 << 40):x}"
        await client.create_queue(name)
        yield client.queue(name)
        await client.delete_queue(name)


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
async def test_bombs(victim: Broker, others: Others, queue: quintet.Queue, content: bytes) -> None:
    others.most = 96 * MIB
    async with welcomed(victim) as socket:
        for number in range(3):
            await socket.say(SEND_BATCH, number, queue.name, None, 0, content)
            assert (await socket.hear())[:3] == [REFUSED, number, "InvalidArgument"]
            others.check_memory()
        await others.served()


@pytest.mark.parametrize(("content", "why"), REFUSED_BATCHES.values(), ids=REFUSED_BATCHES)
async def test_refused(victim: Broker, queue: quintet.Queue, content: bytes, why: str) -> None:
    async with welcomed(victim) as socket:
        await socket.say(SEND_BATCH, 1, queue.name, 5, 0, content)
        answer = await socket.hear()
        assert answer[0] == REFUSED
        assert answer[2] in ("InvalidArgument", "MessageTooLarge")
        assert why in answer[4]
        # The producer goes on under the same number, since nothing was stored.
        await socket.say(SEND_BATCH, 2, queue.name, 5, 0, batch_of(*(record(place, b"good") for place in range(5))))
        assert (await socket.hear())[:2] == [STORED, 2]
        assert await all_of(socket, queue.name, 5) == [b"good"] * 5


@pytest.mark.parametrize("spec", [{}, {"ordering": "Fifo", "deduplication": {"contentBased": True}}, {"shards": 3}])
async def test_mutants(victim: Broker, others: Others, spec: dict[str, Any]) -> None:
    """What is confirmed is delivered, in batches and one by one, and nothing else is."""
    choice = random.Random(8)
    async with quintet.connect(victim.http_url) as client, welcomed(victim) as socket:
        await client.create_queue("mutants", spec)
        sent: list[bytes] = []
        for number in range(500):
            content = mutant(choice)
            await socket.say(SEND_BATCH, number, "mutants", None, 0, content)
            answer = await socket.hear()
            if answer[0] == REFUSED:
                assert answer[2] == "InvalidArgument"
            else:
                sent += [one.value or b"" for one in DefaultRecordBatch(content)]
        assert sent
        found = await all_of(socket, "mutants", len(set(sent)) if "ordering" in spec else len(sent))
        if "ordering" in spec:
            assert set(found) <= set(sent)
        else:
            assert sorted(found) == sorted(sent)
        await others.served()
        await client.delete_queue("mutants")


async def all_of(socket: Socket, queue: str, count: int) -> list[bytes]:
    """The values of so many messages, which come in batches at every other time, and are acknowledged."""
    found: list[bytes] = []
    number = 1 << 30
    while len(found) < count:
        number += 2
        await socket.say(RECEIVE, number, queue, 1000, True, 5000, None, None, None, number % 4 == 0)
        is_open, held = True, []
        while is_open:
            tag, _, some, is_open = await socket.hear()
            for one in some:
                if tag == DELIVER_BATCHES:
                    values = [each.value or b"" for each in DefaultRecordBatch(one[6])]
                    assert len(values) == one[2]
                    held.append([one[0], one[2]])
                    found += values
                else:
                    held.append(one[1])
                    found.append(one[2])
        if held:
            await socket.say(ACKNOWLEDGE, number + 1, queue, held)
            assert await socket.hear() == [SETTLED, number + 1, []]
    return found


async def test_ten_thousand_of_nothing(victim: Broker, others: Others, queue: quintet.Queue) -> None:
    content = batch_of(*(record(place) for place in range(10_000)))
    async with welcomed(victim) as socket:
        for number in range(8):
            await socket.say(SEND_BATCH, number, queue.name, None, 0, content)
        assert sorted([(await socket.hear())[:2] for _ in range(8)]) == [[STORED, number] for number in range(8)]
        await others.served()
        assert len(await all_of(socket, queue.name, 20_000)) >= 20_000


async def test_handles_that_lie(victim: Broker, others: Others, queue: quintet.Queue) -> None:
    """Of more than was delivered, of what others hold, of what is nowhere: nothing is settled by them, and in time."""
    async with welcomed(victim) as socket:
        await socket.say(SEND_BATCH, 1, queue.name, None, 0, batch_of(*(record(place) for place in range(100))))
        assert (await socket.hear())[0] == STORED
        await socket.say(RECEIVE, 2, queue.name, 10, True, 5000, None, None, None, True)
        handle = (await socket.hear())[2][0][0]
        far = handle[:6] + b"\xff" * 8 + handle[14:]
        for number, (held, count, refused) in enumerate(
            [
                (handle, 10_000, 9_990),
                (far, 10_000, 10_000),
                (handle[:2] + b"\xff" * 4 + handle[6:], 1000, 1000),
                (handle[:14] + bytes(4), 1000, 990),
                (b"", 1000, 1000),
                (bytes(64), 1000, 1000),
            ],
            3,
        ):
            await socket.say(ACKNOWLEDGE, number, queue.name, [[held, count]])
            tag, _, results = await socket.hear()
            assert tag == SETTLED
            assert sum(result is not None for result in results) == refused
        assert (await queue.info()).counts.visible == 90
        for held in (
            [[handle, 10_001]],
            [[handle, 0]],
            [[handle, -1]],
            [[handle, 2**63]],
            [[handle, 9000]] * 2,
            [[handle]],
        ):
            await socket.say(ACKNOWLEDGE, 100, queue.name, held)
            assert (await socket.hear())[:3] == [REFUSED, 100, "InvalidArgument"]


async def test_many_handles_that_lie(victim: Broker, others: Others, queue: quintet.Queue) -> None:
    """A few bytes ask about ten thousand messages: others are served between them, and answers do not pile up."""
    async with welcomed(victim) as socket:
        await socket.say(SEND_BATCH, 1, queue.name, None, 0, batch_of(*(record(place) for place in range(100))))
        await socket.hear()
        await socket.say(RECEIVE, 2, queue.name, 10, True, 5000, None, None, None, True)
        handle = (await socket.hear())[2][0][0]
        stale = handle[:14] + bytes(4)
        asked = [
            frame(msgpack.packb([ACKNOWLEDGE, number, queue.name, [[stale, 10_000]]])) for number in range(10, 900)
        ]
        writing = asyncio.create_task(socket.write(b"".join(asked)))
        await others.served(10)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
