"""A node whose connections are ended while they are used: every answer is right, or is said to be lost."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from quintet_broker.store.connection import connection
from tests.redis_sets import RedisNode

WORKERS = 20
DROPS = 50


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisNode]:
    redis = RedisNode(tmp_path, "redis")
    redis.start()
    yield redis
    redis.kill()


async def test_each_answer_is_right_or_lost(redis: RedisNode) -> None:
    found = connection(f"redis://{redis.host}")
    # An idle Redis looks so often, a second, whether somebody has waited long enough: 10 times else.
    await found.nodes[0].redis.config_set("hz", 500)
    right = lost = 0

    async def ask() -> None:
        nonlocal right, lost
        while not dropping.done():
            word = random.randbytes(8)
            try:
                # It waits between its answers, so that often one of them is lost.
                answers = await found.nodes[0].send([(("ECHO", word), {}), (("BLPOP", "nothing", "0.002"), {})] * 2)
            except (RedisError, OSError):
                lost += 1
            else:
                assert answers == [word, None] * 2
                right += 1

    async def drop() -> None:
        """The longer it takes the longer are the pauses, so that a slow machine comes to answers too."""
        drops = 0
        while drops < DROPS or right <= WORKERS or lost <= WORKERS:
            await asyncio.sleep(random.uniform(0, 0.03) * (1 + drops / DROPS))
            await found.drop()
            drops += 1

    dropping = asyncio.create_task(drop())
    await asyncio.gather(dropping, *(ask() for _ in range(WORKERS)))
    await found.close()


async def test_what_a_redis_tells_of_itself_is_no_answer(redis: RedisNode) -> None:
    found = connection(f"redis://{redis.host}?protocol=3")
    [node] = found.nodes
    assert await node.write([("CLIENT", "TRACKING", "ON"), ("GET", "word")]) == [b"OK", None]
    for word in b"a", b"b":
        # Who has read it is told that it changed.
        await node.redis.set("word", word)
        assert await node.write([("GET", "word"), ("ECHO", word)]) == [word, word]
    await found.close()


async def test_a_write_whose_connection_ends_is_lost_and_the_next_one_has_another(redis: RedisNode) -> None:
    found = connection(f"redis://{redis.host}")
    [node] = found.nodes
    [number] = await node.write([("CLIENT", "ID")])
    with pytest.raises(RedisError):
        await node.write([("ECHO", "before"), ("CLIENT", "KILL", "ID", str(number), "SKIPME", "no"), ("ECHO", "after")])
    assert await node.write([("ECHO", "next")]) == [b"next"]
    [number] = await node.write([("CLIENT", "ID")])
    # Where it ended between two writes nothing is lost.
    await node.redis.client_kill_filter(_id=str(number))
    while node._writer and node._writer.is_open:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    assert await node.write([("ECHO", "third")]) == [b"third"]
    await found.close()
