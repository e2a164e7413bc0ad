"""A topology that reads what the store holds."""

import asyncio

import msgspec
import pytest

from quintet_api.topology import TopologyDocument
from quintet_broker.engine.engine import Engine
from quintet_broker.errors import QueueNotFound, Unavailable
from quintet_broker.services.catalogue import Catalogue, Known
from quintet_broker.services.topology import Topology
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Pool


async def test_before_it_is_restored_no_queue_is_missing_and_none_is_changed() -> None:
    """A queue that exists would else be reported as gone, or made anew over its data."""
    topology = Topology(Engine(Store("redis://127.0.0.1:1", "test")), "default")
    with pytest.raises(Unavailable, match="has not read yet"):
        topology.queues()
    for change in (
        topology.queue("orders"),
        topology.create_queue("orders", {}),
        topology.update_queue("orders", {}),
        topology.delete_queue("orders"),
        topology.apply(TopologyDocument(revision=(1, 1), entries=[])),
        topology.status(),
    ):
        with pytest.raises(Unavailable, match="has not read yet"):
            await change


class HoldingStore(Store):
    """Holds two queues."""

    asked = 0

    async def pool(self) -> Pool:
        self.asked += 1
        spec = {"deadLetter": {"queue": "dead", "maxReceives": 1}}
        known = Known("orders", "1", "Runtime", spec, (1,), 0, 0), Known("dead", "2", "Runtime", {}, (2,), 0, 0)
        return Pool(1, {f"Queue/{one.name}": msgspec.json.encode(one) for one in known}, None)


async def test_nothing_is_asked_of_a_store_that_is_not_connected_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = False
    monkeypatch.setattr(Engine, "connected", property(lambda _: connected))
    store = HoldingStore("redis://127.0.0.1:1", "test")
    catalogue = Catalogue(Engine(store))
    running = asyncio.create_task(catalogue.run())
    await asyncio.sleep(0)
    assert store.asked == 0
    connected = True
    async with asyncio.timeout(30):
        while not catalogue.restored:  # noqa: ASYNC110 - as /readyz tells it
            await asyncio.sleep(0.001)
    assert store.asked == 1
    running.cancel()


async def test_a_restored_queue_never_runs_without_its_dead_letter_queue() -> None:
    """It would else deliver once more what was delivered `maxReceives` times."""
    catalogue = Catalogue(Engine(HoldingStore("redis://127.0.0.1:1", "test")))
    loading = asyncio.create_task(catalogue.load())
    while not catalogue.restored:
        await asyncio.sleep(0)
        assert all(
            queue.spread.policy.dead_letter == 2 for queue in catalogue._queues.values() if queue.name == "orders"
        )
    await loading
    assert catalogue.queue("orders").spread.policy.dead_letter == 2


class GrowingStore(HoldingStore):
    """To its two queues more come, of which nobody tells."""

    version = 1

    async def pool_version(self) -> int:
        return self.version

    async def pool(self) -> Pool:
        pool = await super().pool()
        more = {f"Queue/{v}": msgspec.json.encode(Known(str(v), "3", "Runtime", {}, (v,), 0, 0)) for v in (2, 3)}
        return Pool(self.version, pool.entries | (more if self.version > 1 else {}), None)


async def test_a_queue_that_another_broker_made_just_now_is_known() -> None:
    store = GrowingStore("redis://127.0.0.1:1", "test")
    topology = Topology(Engine(store), "default")
    await topology._catalogue.load()
    assert (await topology.queue("orders")).name == "orders"
    with pytest.raises(QueueNotFound):
        await topology.queue("3")
    assert store.asked == 1, "nothing is new: the queues are not read again"
    store.version = 3
    assert (await topology.queue("3")).name == "3"
