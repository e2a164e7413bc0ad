"""A topology that reads what the store holds."""

import asyncio

import msgspec
import pytest

from quintet_api.topology import TopologyDocument
from quintet_broker.engine.engine import Engine
from quintet_broker.errors import Unavailable
from quintet_broker.services.topology import Known, Topology
from quintet_broker.store.redis import Store


async def test_before_it_is_restored_no_queue_is_missing_and_none_is_changed() -> None:
    """A queue that exists would else be reported as gone, or made anew over its data."""
    topology = Topology(Engine(Store("redis://127.0.0.1:1", "test")), "broker-0", "default")
    for ask in (lambda: topology.queue("orders"), topology.queues, topology.status):
        with pytest.raises(Unavailable, match="has not read yet"):
            ask()
    for change in (
        topology.create_queue("orders", lambda spec: spec),
        topology.update_queue("orders", lambda spec: spec),
        topology.delete_queue("orders"),
        topology.apply(TopologyDocument(revision=(1, 1), entries=[])),
    ):
        with pytest.raises(Unavailable, match="has not read yet"):
            await change


class HoldingStore(Store):
    """Holds two queues, and notes how the first treats its records while the document is read."""

    topology: Topology
    asked: asyncio.Event
    dead_letter: int | None = None

    async def entries(self) -> dict[str, bytes]:
        spec = {"deadLetter": {"queue": "dead", "maxReceives": 1}}
        known = Known("orders", "1", "Runtime", spec, 1, 0, 0), Known("dead", "2", "Runtime", {}, 2, 0, 0)
        return {f"Queue/{one.name}": msgspec.json.encode(one) for one in known}

    async def document(self) -> None:
        self.dead_letter = self.topology.queue("orders").shard.policy.dead_letter
        self.asked.set()


async def test_nothing_is_asked_of_a_store_that_is_not_connected_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = False
    monkeypatch.setattr(Engine, "connected", property(lambda _: connected))
    store = HoldingStore("redis://127.0.0.1:1", "test")
    topology = store.topology = Topology(Engine(store), "broker-0", "default")
    store.asked = asyncio.Event()
    with pytest.raises(Unavailable):
        await topology._restore()
    assert not store.asked.is_set()
    connected = True
    await topology._restore()
    assert store.asked.is_set()


async def test_a_restored_queue_never_runs_without_its_dead_letter_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would else deliver once more what was delivered `maxReceives` times."""
    monkeypatch.setattr(Engine, "connected", True)
    store = HoldingStore("redis://127.0.0.1:1", "test")
    topology = store.topology = Topology(Engine(store), "broker-0", "default")
    store.asked = asyncio.Event()
    running = asyncio.create_task(topology.run())
    async with asyncio.timeout(5):
        await store.asked.wait()
    running.cancel()
    assert store.dead_letter == 2
