"""Every verb of a queue that has several shards, over a real Redis."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from quintet_broker.engine.engine import Engine
from quintet_broker.errors import InvalidArgument, QueueFull, Unavailable
from quintet_broker.services.messages import Message, NewMessage, Producer
from quintet_broker.services.queue import Queue
from quintet_broker.services.topology import Topology
from quintet_broker.store.redis import Store
from tests.processes import RedisServer

KEYS = [b"%d" % number for number in range(40)]
"""So many that each of a few shards has some."""
FIFO = {"ordering": "Fifo", "deduplication": {"scope": "Group"}}


@pytest.fixture
async def topology(redis_server: RedisServer) -> AsyncIterator[Topology]:
    engine = Engine(Store(redis_server.url, str(uuid.uuid4())))
    topology = Topology(engine, "default")
    engine.start()
    running = asyncio.create_task(topology.run())
    while not (engine.connected and topology.restored):  # noqa: ASYNC110 - as /readyz tells it
        await asyncio.sleep(0.001)
    yield topology
    running.cancel()
    await engine.stop()


def messages() -> list[NewMessage]:
    return [NewMessage(key, key=key) for key in KEYS]


async def drained(queue: Queue) -> list[Message]:
    """All messages, acknowledged."""
    found: list[Message] = []
    while some := await queue.receive(100, wait=0):
        assert await queue.acknowledge([one.receipt for one in some]) == [None] * len(some)
        found += some
    return found


def values(some: list[Message]) -> list[bytes]:
    return sorted(one.value for one in some)


async def test_messages_go_through(topology: Topology) -> None:
    queue = await topology.create_queue("orders", {"shards": 4})
    sent = await queue.send(messages())
    assert all(counts.visible for counts in queue.held.values())
    assert (await queue.counts()).visible == len(KEYS)
    received = await queue.receive(1000)
    assert {one.id for one in received} == {one.id for one in sent}
    assert (await queue.counts()).in_flight == len(KEYS)
    receipts = [one.receipt for one in received]
    assert await queue.release(receipts[:10]) == [None] * 10
    assert await queue.extend([(receipt, 60) for receipt in receipts[10:20]]) == [None] * 10
    results = await queue.acknowledge([*receipts[10:], "nonsense"])
    assert results[:-1] == [None] * (len(KEYS) - 10)
    assert results[-1] is not None
    assert values(await drained(queue)) == sorted(one.value for one in received[:10])


async def test_one_that_comes_while_a_receive_waits_is_delivered_at_once(topology: Topology) -> None:
    queue = await topology.create_queue("orders", {"shards": 4})
    for key in KEYS[:8]:
        receiving = asyncio.create_task(queue.receive(10, wait=20))
        await asyncio.sleep(0)
        await queue.send([NewMessage(key, key=key)])
        [message] = await receiving
        assert (message.value, message.deliveries) == (key, 1)
        await queue.acknowledge([message.receipt])


async def test_what_a_receive_gets_and_nobody_heard_of_comes_again(topology: Topology) -> None:
    queue = await topology.create_queue("orders", {"shards": 4})
    receiving = asyncio.create_task(queue.receive(10, wait=20))
    await asyncio.sleep(0)
    sending = asyncio.create_task(queue.send(messages()))
    receiving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await receiving
    await sending
    found: list[Message] = []
    while len(found) < len(KEYS):
        found += await queue.receive(100, wait=20)
    assert values(found) == sorted(KEYS)
    assert {one.deliveries for one in found} == {1}


async def test_a_look_goes_through_all_shards(topology: Topology) -> None:
    queue = await topology.create_queue("orders", {"shards": 4})
    await queue.send(messages())
    looked = await queue.peek(7)
    found = looked.messages
    while looked.next:
        looked = await queue.peek(7, looked.next)
        found = [*found, *looked.messages]
    assert values(found) == sorted(KEYS)


async def test_dead_letters_go_and_come_back_between_queues_of_many_shards(topology: Topology) -> None:
    dead = await topology.create_queue("dead", {"shards": 3})
    queue = await topology.create_queue("orders", {"shards": 4, "deadLetter": {"queue": "dead", "maxReceives": 1}})
    await queue.send(messages())
    await queue.release([one.receipt for one in await queue.receive(1000)])
    while (await dead.counts()).visible < len(KEYS):
        await queue.receive(1)
    assert all(counts.visible for counts in dead.held.values())
    started = await dead.redrive(limit=30, rate=1000)
    assert (started.left, started.rate) == (30, 1000)
    while (await dead.redrive_progress()).running:  # noqa: ASYNC110 - as a client sees it
        await asyncio.sleep(0.01)
    assert (await dead.redrive_progress()).moved == 30
    assert values([*await drained(queue), *await drained(dead)]) == sorted(KEYS)


async def test_a_purge_empties_all_shards(topology: Topology) -> None:
    queue = await topology.create_queue("orders", {"shards": 4})
    await queue.send(messages())
    await queue.purge()
    assert (await queue.counts()).visible == 0
    assert await queue.receive(1) == []


async def test_limits_are_divided(topology: Topology) -> None:
    queue = await topology.create_queue("orders", {"shards": 4, "limits": {"messages": 8}})
    one_key = [NewMessage(b"", key=b"k")]
    for _ in range(2):
        await queue.send(one_key)
    with pytest.raises(QueueFull, match=r"limits\.messages is 2"):
        await queue.send(one_key)
    with pytest.raises((QueueFull, Unavailable)):
        await queue.send(messages())


@pytest.mark.parametrize("spec", [{}, FIFO], ids=["Standard", "Fifo"])
async def test_a_send_is_stored_once_however_much_the_queue_grows_meanwhile(
    topology: Topology, spec: dict[str, Any]
) -> None:
    queue = await topology.create_queue("orders", spec)
    producer = Producer(4711, 0)
    sent = await queue.send(messages(), producer)
    for shards in (2, 5, 9):
        await topology.update_queue("orders", {"shards": shards})
        assert [one.id for one in await queue.send(messages(), producer)] == [one.id for one in sent]
        assert (await queue.counts()).visible == len(KEYS)
    await queue.send(messages(), Producer(4711, 1))
    found: list[Message] = []
    while len(found) < 2 * len(KEYS):
        some = await queue.receive(100, wait=20)
        await queue.acknowledge([one.receipt for one in some])
        found += some
    assert values(found) == sorted(2 * KEYS)
    assert await queue.receive(1) == []


async def test_what_was_sent_under_an_id_is_known_after_a_growth(topology: Topology) -> None:
    queue = await topology.create_queue("orders", FIFO)
    with_ids = [NewMessage(key, key=key, deduplication_id="same") for key in KEYS]
    sent = await queue.send(with_ids)
    await topology.update_queue("orders", {"shards": 8})
    assert await queue.send(with_ids) == sent


async def test_numbers_grow_and_order_holds_across_a_growth(topology: Topology) -> None:
    queue = await topology.create_queue("orders", FIFO)
    await queue.send([NewMessage(b"first", key=key) for key in KEYS])
    await topology.update_queue("orders", {"shards": 8})
    await queue.send([NewMessage(b"second", key=key) for key in KEYS])
    last: dict[bytes | None, int] = {}
    seen = 0
    while seen < 2 * len(KEYS):
        some = await queue.receive(10, wait=20)
        for one in some:
            assert one.sequence is not None
            assert (one.value == b"second") == (one.key in last)
            assert one.sequence > last.get(one.key, -1)
            last[one.key] = one.sequence
        await queue.acknowledge([one.receipt for one in some])
        seen += len(some)


async def test_shards_become_no_fewer(topology: Topology) -> None:
    await topology.create_queue("orders", {"shards": 2})
    with pytest.raises(InvalidArgument, match="can only become more"):
        await topology.update_queue("orders", {"shards": 1})
    with pytest.raises(InvalidArgument, match="scope Group"):
        await topology.create_queue("in-order", {"ordering": "Fifo", "shards": 2})
    await topology.delete_queue("orders")
    assert (await (await topology.create_queue("orders", {})).counts()).visible == 0
