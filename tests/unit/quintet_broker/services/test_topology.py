"""A topology that has not read yet what the store holds."""

import pytest

from quintet_api.topology import TopologyDocument
from quintet_broker.engine.engine import Engine
from quintet_broker.errors import Unavailable
from quintet_broker.services.topology import Topology
from quintet_broker.store.redis import Store


async def test_before_it_is_restored_no_queue_is_missing_and_none_is_changed() -> None:
    """A queue that exists would else be reported as gone, or made anew over its data."""
    topology = Topology(Engine(Store("redis://127.0.0.1:1", "test")), "broker-0")
    with pytest.raises(Unavailable, match="has not read yet"):
        topology.queue("orders")
    for change in (
        topology.create_queue("orders", lambda spec: spec),
        topology.update_queue("orders", lambda spec: spec),
        topology.delete_queue("orders"),
        topology.apply(TopologyDocument(revision=(1, 1), entries=[])),
    ):
        with pytest.raises(Unavailable, match="has not read yet"):
            await change
