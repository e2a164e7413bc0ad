"""What a real Redis is set to, and what is said of it."""

import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from quintet_broker.errors import Unavailable
from quintet_broker.store.redis import Store
from tests.redis_sets import RedisNode


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RedisNode]:
    node = RedisNode(tmp_path, "redis", durability="Memory", maxmemory_policy="allkeys-lru")
    node.start()
    yield node
    node.kill()


@pytest.fixture
async def store(node: RedisNode) -> AsyncIterator[Store]:
    store = Store(f"redis://{node.host}", str(uuid.uuid4()), "Fsync")
    yield store
    await store.close()


async def test_it_is_told_once_and_until_it_is_mended(
    node: RedisNode, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await store.connect()
        await store.check()
    assert store.redis_version == node.info()["redis_version"]
    assert store.warnings == [
        "maxmemory-policy is allkeys-lru: messages may be evicted; set it to noeviction.",
        "appendfsync is everysec: durability Fsync needs always.",
    ]
    assert [record.message.count("durability Fsync promises") for record in caplog.records] == [1, 1]
    node.set(appendfsync="always", maxmemory_policy="noeviction")
    await store.check()
    assert store.warnings == []


async def test_a_redis_that_lets_nobody_read_its_settings(node: RedisNode) -> None:
    with node.client as redis:
        redis.acl_setuser("broker", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-config"])
    store = Store(f"redis://broker:secret@{node.host}", str(uuid.uuid4()), "Fsync")
    await store.connect()
    assert [warning.partition(",")[0] for warning in store.warnings] == [
        "maxmemory-policy is allkeys-lru: messages may be evicted; set it to noeviction.",
        "appendfsync cannot be read",
    ]
    await store.close()


async def test_replicated_without_a_replica_is_not_served(node: RedisNode) -> None:
    store = Store(f"redis://{node.host}", str(uuid.uuid4()), "Replicated")
    with pytest.raises(Unavailable, match="0 replicas of"):
        await store.connect()
    await store.close()


async def test_a_replica_is_no_place_for_a_pool(node: RedisNode, tmp_path: Path) -> None:
    replica = RedisNode(tmp_path, "replica", replicaof=f"127.0.0.1 {node.port}")
    replica.start()
    store = Store(f"redis://{replica.host}", str(uuid.uuid4()))
    with pytest.raises(Unavailable, match="is a replica, which takes no writes"):
        await store.connect()
    await store.close()
    replica.kill()
