"""Whole lists beside the watches: what they show must be seen before anything is done, and what they lack goes."""

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from quintet_operator import resync
from quintet_operator.cluster import KINDS, ApiError
from quintet_operator.index import Key
from quintet_operator.resync import Resync
from tests.unit.quintet_operator.room import Room

ORDERS = Key("Queue", "shop", "orders")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(resync, "LOOK_AGAIN", 0.001)
    return Room()


def resynced(room: Room, *kinds: str) -> Resync:
    return Resync(room.index, room.api.cluster(), room.dispatch, room.queue, dict.fromkeys(kinds, ""))


def unseen(room: Room) -> dict[str, Any]:
    """A queue that no watch told of."""
    metadata = {"namespace": "shop", "name": "orders"}
    return room.api.put({"apiVersion": "quintet.dev/v1", "kind": "Queue", "metadata": metadata, "spec": {}})


async def waits(room: Room, comparing: Resync) -> asyncio.Task[None]:
    """Until it looked a few times."""
    task = asyncio.create_task(comparing.until_complete())
    await looked(room, task)
    assert comparing.waits_for
    return task


async def looked(room: Room, task: asyncio.Task[None]) -> None:
    """A few times, in vain."""
    reads = room.api.reads
    async with asyncio.timeout(30):
        while room.api.reads < reads + 4:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert not task.done()


async def test_it_is_complete_when_all_was_told(room: Room) -> None:
    comparing, manifest = resynced(room, "BrokerPool", "Queue"), unseen(room)
    task = await waits(room, comparing)
    room.sees(manifest)
    await asyncio.wait_for(task, 5)
    assert comparing.waits_for == ""


async def test_an_older_state_is_not_enough(room: Room) -> None:
    comparing = resynced(room, "Queue")
    room.sees(unseen(room))
    newer = room.api.put((room.api.get("Queue", "orders") or {}) | {"spec": {"paused": True}})
    task = await waits(room, comparing)
    room.sees(newer)
    await asyncio.wait_for(task, 5)


async def test_what_is_deleted_meanwhile_is_not_waited_for(room: Room) -> None:
    comparing = resynced(room, "Queue")
    unseen(room)
    task = await waits(room, comparing)
    room.api.remove("Queue", "orders")
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND])
async def test_a_kind_that_cannot_be_listed_is_never_complete(status: HTTPStatus, room: Room) -> None:
    room.api.refused[KINDS["Queue"].path()] = ApiError(status, "", "queues cannot be listed")
    comparing = resynced(room, "BrokerPool", "Queue")
    task = await waits(room, comparing)
    assert comparing.waits_for == "queues cannot be listed"
    assert not task.done()
    listable = asyncio.create_task(comparing.until_listable())
    await looked(room, listable)
    room.api.refused.clear()
    await asyncio.wait_for(asyncio.gather(task, listable), 5)


@pytest.mark.parametrize("every", [0.001, 600])
async def test_what_no_watch_told_is_put_right(every: float, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, or when a watch began anew: it tells what it finds then, and nothing of what went before."""
    monkeypatch.setattr(resync, "EVERY", every)
    comparing = resynced(room, "Queue")
    phantom = room.sees(unseen(room))
    room.api.remove("Queue", "orders")
    missed = room.api.put(phantom | {"metadata": {"namespace": "shop", "name": "missed"}})
    task = asyncio.create_task(comparing.run())
    if every > 1:
        await asyncio.sleep(0)
        room.dispatch.told(room.user("BrokerPool", "default"), listed=True)
    async with asyncio.timeout(30):
        while room.index.get(ORDERS) or not room.index.get(ORDERS._replace(name="missed")):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    task.cancel()
    assert room.index.get(ORDERS._replace(name="missed")) == missed
    assert room.index.queues(Key("BrokerPool", "shop", "default")) == [ORDERS._replace(name="missed")]
