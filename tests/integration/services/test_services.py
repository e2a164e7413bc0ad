"""Queues and their topology over a real Redis, where something goes wrong at one exact moment."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quintet_api.topology import Entry, TopologyDocument
from quintet_broker.engine.engine import Engine
from quintet_broker.engine.requests import Request
from quintet_broker.errors import QueueNotFound, Unavailable
from quintet_broker.services import keeper as keeper_module
from quintet_broker.services.catalogue import known_of
from quintet_broker.services.messages import NewMessage
from quintet_broker.services.topology import Topology
from quintet_broker.store.connection import CONNECTIONS
from quintet_broker.store.keys import POOL
from quintet_broker.store.redis import Store
from tests.processes import RedisServer


class FailingStore(Store):
    """Refuses to keep entries while `failing`; keeps the next one without a word while `losing`."""

    failing = False
    losing = False

    async def change_pool(
        self, epoch: int, entries: dict[str, bytes | None], document: bytes | None = None, version: int = 0
    ) -> int:
        if self.failing:
            raise Unavailable
        changed = await super().change_pool(epoch, entries, document, version)
        if self.losing:
            self.losing = False
            raise Unavailable
        return changed


@pytest.fixture
def prefix() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def store(redis_server: RedisServer, prefix: str) -> FailingStore:
    return FailingStore(redis_server.url, prefix)


@contextlib.asynccontextmanager
async def serving(store: Store) -> AsyncIterator[Topology]:
    """As a broker has it, from its start to its end."""
    engine = Engine(store)
    topology = Topology(engine, "default")
    engine.start()
    running = asyncio.create_task(topology.run())
    async with asyncio.timeout(30):
        while not (engine.connected and topology.restored):  # noqa: ASYNC110 - as /readyz tells it
            await asyncio.sleep(0.001)
    yield topology
    running.cancel()
    await engine.stop()


async def test_what_nobody_heard_of_comes_again_at_once(store: FailingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may go in the moment between the answer and its reading."""
    async with serving(store) as topology:
        queue = await topology.create_queue("orders", {})
        [route] = queue.spread.routes
        ask = route.ask

        def ask_and_leave(request: Request[Any]) -> None:
            ask(request)
            request.future.add_done_callback(lambda _: polling.cancel())

        with monkeypatch.context() as patched:
            patched.setattr(route, "ask", ask_and_leave)
            polling = asyncio.create_task(queue.receive(1, wait=20))
            await asyncio.sleep(0)
        await queue.send([NewMessage(b"x")])
        with pytest.raises(asyncio.CancelledError):
            await polling
        (message,) = await queue.receive(1, wait=10)
        assert message.value == b"x"


async def test_a_deletion_that_the_store_did_not_keep_can_be_tried_again(
    store: FailingStore, redis_server: RedisServer, prefix: str
) -> None:
    async with serving(store) as topology:
        await topology.create_queue("orders", {})
        store.failing = True
        with pytest.raises(Unavailable):
            await topology.delete_queue("orders")
        store.failing = False
        assert (await topology.queue("orders")).name == "orders"
        await topology.delete_queue("orders")
    async with serving(Store(redis_server.url, prefix)) as topology:
        with pytest.raises(QueueNotFound):
            await topology.queue("orders")


async def test_a_departure_that_the_store_did_not_keep_can_be_tried_again(store: FailingStore) -> None:
    entry = Entry(kind="Queue", name="orders", uid="1", spec={})
    gone = TopologyDocument(revision=(1, 2), entries=[])
    async with serving(store) as topology:
        await topology.apply(TopologyDocument(revision=(1, 1), entries=[entry]))
        store.failing = True
        with pytest.raises(Unavailable):
            await topology.apply(gone)
        store.failing = False
        await topology.apply(gone)
        with pytest.raises(QueueNotFound):
            await topology.queue("orders")
        (known,) = (await store.pool()).entries.values()
        assert b'"departed_at":null' not in known


async def test_a_deletion_that_was_not_confirmed_does_not_come_true_later(
    store: FailingStore, redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue goes on to serve; what it confirms since must outlive a restart."""
    monkeypatch.setattr(keeper_module, "TIDY_EVERY", 0.01)
    async with serving(store) as topology:
        queue = await topology.create_queue("orders", {})
        store.losing = True
        with pytest.raises(Unavailable):
            await topology.delete_queue("orders")
        await queue.send([NewMessage(b"x")])
        async with asyncio.timeout(30):
            while b'"departed_at":null' not in (await store.pool()).entries["Queue/orders"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    async with serving(Store(redis_server.url, prefix)) as topology:
        (message,) = await (await topology.queue("orders")).receive(1, wait=10)
        assert message.value == b"x"


@pytest.mark.parametrize("is_changed_at_once", [False, True])
async def test_a_growth_that_was_not_confirmed_holds(
    store: FailingStore,
    redis_server: RedisServer,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    is_changed_at_once: bool,
) -> None:
    """Another broker may have read it, and used the new shard."""
    monkeypatch.setattr(keeper_module, "TIDY_EVERY", 3600.0 if is_changed_at_once else 0.01)
    async with serving(store) as topology:
        queue = await topology.create_queue("orders", {})
        store.losing = True
        with pytest.raises(Unavailable):
            await topology.update_queue("orders", {"shards": 2})
        stored = known_of(await store.pool())["orders"]
        assert len(stored.shards) == 2
        if is_changed_at_once:
            await topology.update_queue("orders", {"paused": True})
        async with asyncio.timeout(30):
            while len(queue.spread.routes) == 1:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.01)
        held = known_of(await store.pool())["orders"]
        assert (held.shards, held.grown, held.spec["shards"]) == (stored.shards, stored.grown, 2)
        assert held.spec.get("paused", False) is is_changed_at_once


async def test_a_deleted_queue_leaves_nothing_in_the_store(store: FailingStore, prefix: str) -> None:
    async with serving(store) as topology:
        queue = await topology.create_queue("orders", {})
        await queue.send([NewMessage(b"x")])
        await topology.delete_queue("orders")
        [node] = store._connection.nodes
        # That it was erased is kept for a while.
        lasting = [key for key in await node.redis.keys(f"*{prefix}*") if await node.redis.pttl(key) < 0]
        assert sorted(lasting) == [store.keys.directory.encode(), store.keys.meta(POOL).encode()]
        assert set(await node.redis.hkeys(store.keys.directory)) == {b"next", b"store"}


async def test_queues_can_be_made_soon_after_redis_was_started_anew(tmp_path: Path) -> None:
    """Though no message goes through, and each connection may be renewed without a word."""
    redis = RedisServer(tmp_path)
    redis.start()
    store = Store(redis.url, "test")
    async with serving(store) as topology:
        for number in range(2):
            await asyncio.gather(*(store.next_due(1) for _ in range(CONNECTIONS)))
            redis.kill()
            redis.start()
            async with asyncio.timeout(30):
                while not await made(topology, f"orders-{number}"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    redis.kill()


async def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(store: FailingStore) -> None:
    async with serving(store) as topology:
        queue = await topology.create_queue("orders", {}, {"tags": {"a": "1"}})
        seen = queue.extras
        await topology.update_queue("orders", {}, {"tags": {"b": "2"}}, unless_changed=seen)
        with pytest.raises(Unavailable, match="somebody else"):
            await topology.update_queue("orders", {}, {"tags": {"c": "3"}}, unless_changed=seen)
        # What needs no look at what was there, is merged.
        await topology.update_queue("orders", {}, {"tags": {"a": None, "d": "4"}})
        assert queue.extras.tags == {"b": "2", "d": "4"}


async def made(topology: Topology, name: str) -> bool:
    try:
        await topology.create_queue(name, {})
    except Unavailable:
        return False
    return True


async def test_what_the_store_lost_is_stored_again(
    store: FailingStore, redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that took over may never have heard of a queue that is served."""
    monkeypatch.setattr(keeper_module, "TIDY_EVERY", 0.01)
    async with serving(store) as topology:
        await topology.create_queue("orders", {})
        [node] = store._connection.nodes
        before = await store.pool()
        await node.redis.hset(store.keys.meta(POOL), "version", before.version - 1)
        await node.redis.delete(store.keys.entries)
        store.losses += 1
        async with asyncio.timeout(30):
            while (await store.pool()).entries != before.entries:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.01)
        assert (await store.pool()).version > before.version
