"""The credentials of pools: made once, and put back as they were."""

import base64

from tests.unit.quintet_operator.room import CREDENTIALS, POOL, Room


async def test_the_same_credentials_come_back(room: Room) -> None:
    before = room.api.get("Secret", CREDENTIALS)
    room.gone("Secret", CREDENTIALS)
    await room.settle()
    after = room.api.get("Secret", CREDENTIALS)
    assert before
    assert after
    assert after["data"] == before["data"]


async def test_credentials_are_another_pools_own_secret() -> None:
    """Made anew under its name, a pool that kept nothing gets others."""
    room = Room()
    await room.ready_pool()
    room.user("BrokerPool", "default", deletionPolicy="Delete")
    await room.settle()
    before = room.api.get("Secret", CREDENTIALS)
    assert before
    assert before["metadata"]["ownerReferences"][0]["uid"] == room.uid("BrokerPool", "default")
    room.gone("BrokerPool", "default")
    room.gone("Secret", CREDENTIALS)
    room.user("BrokerPool", "default")
    await room.settle()
    after = room.api.get("Secret", CREDENTIALS)
    assert after
    assert after["data"] != before["data"]
    assert "ownerReferences" not in after["metadata"]


async def test_what_retain_kept_is_adopted(room: Room) -> None:
    before = room.api.get("Secret", CREDENTIALS)
    room.gone("BrokerPool", "default")
    for child in room.index.children(POOL):
        if child["metadata"]["name"] != CREDENTIALS:
            room.gone(child["kind"], child["metadata"]["name"])
    await room.settle()
    room.user("BrokerPool", "default")
    await room.settle()
    assert room.api.get("Secret", CREDENTIALS) == before
    assert room.condition("BrokerPool", "default") == ("False", "StorageNotReady")


async def test_a_damaged_secret_is_put_right_from_memory(room: Room) -> None:
    before = room.api.get("Secret", CREDENTIALS)
    assert before
    room.sees(room.api.put(before | {"data": {"master-key": base64.b64encode(b"x").decode()}}))
    await room.settle()
    after = room.api.get("Secret", CREDENTIALS)
    assert after
    assert after["data"] == before["data"]
