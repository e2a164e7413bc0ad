"""Durability Replicated, on a primary with a replica."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from quintet_broker.errors import Unavailable
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Append, Outcome, Tick
from tests.redis_sets import RedisNode, cut_off, rejoin, wait_for_replicas


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[RedisNode]]:
    """A primary and its replica. The primary goes on writing without it, so that only we notice."""
    primary = RedisNode(tmp_path, "primary", min_replicas_to_write="0")
    replica = RedisNode(tmp_path, "replica", replicaof=f"127.0.0.1 {primary.port}")
    for node in (primary, replica):
        node.start()
    wait_for_replicas(primary, 1)
    yield [primary, replica]
    for node in (primary, replica):
        node.kill()


@pytest.fixture
async def store(pair: list[RedisNode]) -> AsyncIterator[Store]:
    store = Store(f"redis://{pair[0].host}", str(uuid.uuid4()), "Replicated")
    async with asyncio.timeout(60):
        while True:
            # On a busy machine a replica may be late.
            with contextlib.suppress(Unavailable):
                await store.connect()
                break
    yield store
    await store.close()


def append(epoch: int, number: int) -> Tick:
    meta: dict[str, str | int | None] = {"tail:0": number, "seg:0:0": f"0:0:1:{number}"}
    return Tick(1, epoch, number, {0: number - 1}, [Append(0, 0, number, b"x")], meta)


async def test_what_the_replica_lacks_is_unknown_until_it_has_it(pair: list[RedisNode], store: Store) -> None:
    primary, replica = pair
    taken = await store.take(1)
    epoch = await store.take_pool("broker-0", 1)
    assert await store.write([append(taken.epoch, 1)]) == [Outcome.APPLIED]

    cut_off(primary, [replica])
    assert await store.write([append(taken.epoch, 2)]) == [Outcome.LOST]
    with pytest.raises(Unavailable):
        await store.take(1)
    with pytest.raises(Unavailable):
        await store.connect()
    with pytest.raises(Unavailable):
        await store.change_pool(epoch, {"Queue/orders": b"entry"})

    rejoin([replica])
    wait_for_replicas(primary, 1)
    await store.connect()
    found = await store.take(1)
    assert (found.meta["writer"], found.meta["tick"]) == (str(taken.epoch), "2"), "it was stored all the time"
    assert "gap:0:2" not in found.meta
    assert (await store.pool()).entries == {"Queue/orders": b"entry"}
