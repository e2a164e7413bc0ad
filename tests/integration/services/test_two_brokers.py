"""A few brokers of a pool over a real Redis, of which one hears nothing of what the other does."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable

import pytest

from quintet_broker.engine.engine import Engine, Membership
from quintet_broker.engine.pool.owners import Member
from quintet_broker.services.messages import NewMessage, Producer
from quintet_broker.services.topology import Topology
from quintet_broker.store.members import Members
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome, Tick
from tests.processes import RedisServer, free_port

LEASE = 3600.0
"""Seconds: no renewal brings news while a test runs."""
QUEUES = 8
"""Of so many, each of two brokers owns some, and one that comes gets some."""


async def _deaf(_: bytes) -> None:
    """Told of a change, it learns nothing."""


@contextlib.asynccontextmanager
async def serving(url: str, prefix: str, name: str) -> AsyncIterator[tuple[Engine, Topology]]:
    """A broker as its process has it, from its start to its end."""
    port = free_port()
    me = Member(name, 1, f"127.0.0.1:{port}")
    engine = Engine(Store(url, prefix), Membership(me, lambda: Members(url, prefix), LEASE, b"secret"))
    topology = Topology(engine, "default")
    engine.on_call("learn", _deaf)
    await engine.listen("127.0.0.1", port)
    engine.start()
    running = asyncio.create_task(topology.run())
    await until(lambda: engine.connected and topology.restored)
    yield engine, topology
    running.cancel()
    await engine.drain()
    await engine.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - another task brings it about
            await asyncio.sleep(0.005)


@pytest.fixture
async def pair(redis_server: RedisServer) -> AsyncIterator[list[tuple[Engine, Topology]]]:
    prefix = str(uuid.uuid4())
    async with contextlib.AsyncExitStack() as stack:
        names = ("broker-0", "broker-1")
        made = [await stack.enter_async_context(serving(redis_server.url, prefix, name)) for name in names]
        await until(lambda: all(len(engine.owners.members) == len(names) for engine, _ in made))
        yield made


async def test_an_owner_that_nobody_told_of_a_queue_serves_it(pair: list[tuple[Engine, Topology]]) -> None:
    keeping = next(topology for engine, topology in pair if engine.keeper == engine.me)
    queues = [await keeping.create_queue(f"orders-{number}", {}) for number in range(QUEUES)]
    assert {queue.spread.owner for queue in queues} == {engine.me for engine, _ in pair}
    for queue in queues:
        await queue.send([NewMessage(b"x")])
        (message,) = await queue.receive(1, wait=20)
        assert message.value == b"x"


async def test_what_a_broker_delivered_last_to_nobody_is_given_back_to_the_other(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client goes while the delivery is being written, and then the shard does."""
    prefix = str(uuid.uuid4())
    written, answered = asyncio.Event(), asyncio.Event()
    async with serving(redis_server.url, prefix, "broker-1") as (stays, others):
        async with serving(redis_server.url, prefix, "broker-0") as (goes, its):
            await until(lambda: all(len(engine.owners.members) == 2 for engine in (goes, stays)))
            queues = [await its.create_queue(f"orders-{number}", {}) for number in range(QUEUES)]
            queue = next(queue for queue in queues if queue.spread.owner == goes.me)
            await queue.send([NewMessage(b"x")])
            write = goes.store.write

            async def write_slowly(ticks: list[Tick]) -> list[Outcome]:
                outcomes = await write(ticks)
                written.set()
                await answered.wait()
                return outcomes

            monkeypatch.setattr(goes.store, "write", write_slowly)
            receiving = asyncio.create_task(queue.receive(1, wait=20))
            await written.wait()
            receiving.cancel()
            leaving = asyncio.create_task(goes.drain())
            await until(lambda: queue.spread.owner == stays.me)
            answered.set()
            await leaving
        (message,) = await (await others.queue(queue.name)).receive(1, wait=10)
        assert message.value == b"x"


async def test_what_reaches_a_broker_that_ends_is_served_by_one_that_has_just_come(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the one that ends had not heard of it."""
    hear, hearing = Engine._hear, asyncio.Event()
    monkeypatch.setattr(Engine, "_hear", lambda *told: hear(*told) if hearing.is_set() else None)
    prefix = str(uuid.uuid4())
    async with (
        serving(redis_server.url, prefix, "broker-0") as (stays, _),
        serving(redis_server.url, prefix, "broker-1") as (goes, its),
    ):
        await until(lambda: len(goes.owners.members) == 2)
        queues = [await its.create_queue(f"orders-{number}", {}) for number in range(QUEUES)]
        async with serving(redis_server.url, prefix, "broker-2") as (comes, _):
            assert comes.me in {comes.owner_of(queue.spread.number) for queue in queues}
            assert comes.me.name not in goes.owners.members
            sending = [asyncio.create_task(queue.send([NewMessage(b"x")], Producer(1, 1))) for queue in queues]
            await goes.drain()
            await asyncio.gather(*sending)
            hearing.set()
            assert {queue.spread.owner for queue in queues} == {stays.me, comes.me}
