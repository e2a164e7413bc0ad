"""Leases of brokers over one Redis, Sentinels and a Cluster."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from quintet_broker.errors import NameInUse
from quintet_broker.store.members import Beat, Members

LONG, SHORT = 60_000, 50
"""Milliseconds."""


@pytest.fixture
async def members(redis_url: str) -> AsyncIterator[Members]:
    members = Members(redis_url, str(uuid.uuid4()))
    yield members
    await members.close()


async def until_gone(members: Members, name: str) -> Beat:
    async with asyncio.timeout(30):
        while name in (beat := await members.beat("broker-0", 1, LONG, b"a", 0)).members:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return beat


async def test_the_generation_grows_when_brokers_come_and_go(members: Members) -> None:
    assert await members.beat("broker-0", 1, LONG, b"a", 0) == Beat(1, 0, {"broker-0": (1, b"a")})
    assert (await members.beat("broker-0", 1, LONG, b"a", 0)).generation == 1
    both = {"broker-0": (1, b"a"), "broker-1": (7, b"b:c")}
    assert await members.beat("broker-1", 7, LONG, b"b:c", 0) == Beat(2, 0, both)
    assert await members.beat("broker-0", 1, LONG, b"a", 0) == Beat(2, 0, both)
    left = await members.leave("broker-1", 7, stays_alone=True)
    assert left == Beat(3, 0, {"broker-0": (1, b"a")})
    assert await members.leave("broker-1", 7, stays_alone=True) == left
    assert await members.beat("broker-0", 1, LONG, b"a", 0) == Beat(3, 0, {"broker-0": (1, b"a")})


async def test_who_is_alone_leaves_only_if_nobody_need_follow(members: Members) -> None:
    alone = await members.beat("broker-0", 1, LONG, b"a", 0)
    assert await members.leave("broker-0", 1, stays_alone=True) == alone
    assert await members.leave("broker-0", 1, stays_alone=False) == Beat(2, 0, {})


async def test_who_renews_its_lease_takes_out_those_who_do_not(members: Members) -> None:
    await members.beat("broker-1", 1, SHORT, b"", 0)
    await members.beat("broker-0", 1, LONG, b"a", 0)
    assert (await until_gone(members, "broker-1")).generation == 3


async def test_after_a_time_without_redis_each_renews_before_anybody_is_taken_out(members: Members) -> None:
    """Or whoever comes first would take all shards, and give them back soon after."""
    for name in "broker-0", "broker-1":
        await members.beat(name, 1, SHORT, b"", 0)
    await asyncio.sleep(3 * SHORT / 1000)
    assert "broker-1" in (await members.beat("broker-0", 1, LONG, b"", 0)).members
    await until_gone(members, "broker-1")


async def test_a_later_incarnation_has_the_name(members: Members) -> None:
    await members.beat("broker-0", 1, LONG, b"", 0)
    assert (await members.beat("broker-0", 2, LONG, b"", 0)).generation == 2
    with pytest.raises(NameInUse, match="Another broker runs as broker-0"):
        await members.beat("broker-0", 1, LONG, b"", 0)
    await members.leave("broker-0", 1, stays_alone=False)
    assert (await members.beat("broker-0", 2, LONG, b"", 0)).generation == 2


async def test_a_generation_that_was_seen_is_not_forgotten(members: Members) -> None:
    """Though a store lost it: shards were taken by it, and are taken by none older."""
    assert (await members.beat("broker-0", 1, LONG, b"", 41)).generation == 42


async def test_a_store_that_lost_generations_begins_a_new_one(members: Members) -> None:
    """Whoever went by the lost one may know of other members under its number."""
    assert (await members.beat("broker-0", 1, LONG, b"", 0)).generation == 1
    assert (await members.beat("broker-0", 1, LONG, b"", 7)).generation == 8
    assert (await members.beat("broker-0", 1, LONG, b"", 8)).generation == 8
