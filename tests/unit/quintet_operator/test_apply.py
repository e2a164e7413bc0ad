"""What is put into the cluster, and what is left alone there."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from quintet_api import names
from quintet_operator.cluster import KINDS, ApiError
from quintet_operator.index import Key
from tests.unit.quintet_operator.room import POOL, Room


async def test_a_child_that_goes_comes_back(room: Room) -> None:
    children = [(one["kind"], one["metadata"]["name"]) for one in room.index.children(POOL)]
    assert len(children) == 10
    for kind, name in children:
        before = room.uid(kind, name)
        room.gone(kind, name)
        await room.settle()
        assert room.uid(kind, name) != before


THEIRS: dict[str, Callable[[Room], dict[str, Any]]] = {
    "nobody's": lambda room: {},
    "labelled as ours": lambda room: {
        "labels": {names.MANAGED_BY_LABEL: "quintet", names.KIND_LABEL: "Queue", names.NAME_LABEL: "orders"}
    },
    "another object's": lambda room: {
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "orders", "uid": "other", "controller": True}
        ]
    },
}


@pytest.mark.parametrize("whose", THEIRS)
async def test_somebody_elses_object_stays_untouched(whose: str, room: Room) -> None:
    metadata = {"namespace": "shop", "name": "orders-queue"} | THEIRS[whose](room)
    theirs = room.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"mine": "eA=="}})
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("Queue", "orders") == ("False", "NameTaken")
    await room.settle(30)
    assert room.api.get("Secret", "orders-queue") == theirs
    # Nobody watches it, so it is looked for.
    room.api.remove("Secret", "orders-queue")
    await room.settle(6)
    assert room.condition("Queue", "orders") == ("True", "Available")


async def test_one_that_comes_between_the_look_and_the_write_is_not_overwritten(room: Room) -> None:
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "shop", "name": "orders-queue"}}
    found = room.api._read

    def read(path: str) -> dict[str, Any]:
        try:
            return found(path)
        finally:
            if path.endswith("/secrets/orders-queue") and path not in room.api.objects:
                room.api.put(theirs)

    room.api._read = read  # type: ignore[method-assign]
    room.user("Queue", "orders")
    await room.settle()
    held = room.api.get("Secret", "orders-queue")
    assert held
    assert "data" not in held


async def test_one_that_took_the_place_of_ours_unseen_is_not_overwritten(room: Room) -> None:
    """The index is always a moment late."""
    room.user("Queue", "orders")
    await room.settle()
    room.api.remove("Secret", "orders-queue")
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "shop", "name": "orders-queue"}}
    held = room.api.put(theirs)
    room.user("Queue", "orders", brokerPool="default", paused=True)
    room.index._objects[Key("Secret", "shop", "orders-queue")]["forces a write"] = {
        "kind": "Secret",
        "metadata": held["metadata"] | {"uid": "gone", "ownerReferences": _owned(room, "orders")},
    }
    await room.settle()
    assert room.api.get("Secret", "orders-queue") == held


def _owned(room: Room, name: str) -> list[dict[str, Any]]:
    return [{"kind": "Queue", "name": name, "uid": room.uid("Queue", name), "controller": True}]


async def test_a_child_of_the_object_before_is_waited_for(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    old = room.api.get("Secret", "orders-queue")
    room.gone("Queue", "orders")
    room.user("Queue", "orders")
    await room.settle()
    assert room.api.get("Secret", "orders-queue") == old
    assert room.condition("Queue", "orders") == ("False", "Pending")
    room.gone("Secret", "orders-queue")
    await room.settle()
    assert room.condition("Queue", "orders") == ("True", "Available")


async def test_what_the_api_server_refuses_is_told(room: Room) -> None:
    path = KINDS["Secret"].path("shop", "orders-queue")
    room.api.refused[path] = ApiError(HTTPStatus.FORBIDDEN, "Forbidden", "exceeded quota: two secrets")
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("Queue", "orders") == ("False", "InvalidSpec")
    del room.api.refused[path]
    await room.settle(6)
    assert room.condition("Queue", "orders") == ("True", "Available")


async def test_a_listener_that_is_no_longer_wanted_goes(room: Room) -> None:
    room.user("BrokerPool", "default", listeners=[{"name": "out", "type": "NodePort"}])
    await room.settle()
    assert room.api.get("Service", "default-broker-pool-out")
    room.user("BrokerPool", "default")
    await room.settle()
    assert room.api.get("Service", "default-broker-pool-out") is None
    assert room.api.get("Service", "default-broker-pool")


async def test_what_is_refused_changes_nothing(room: Room) -> None:
    room.api.calls.clear()
    room.user("BrokerPool", "default", replicas=3, listeners=[{"name": "pods", "type": "NodePort"}])
    await room.settle()
    assert room.condition("BrokerPool", "default") == ("False", "InvalidSpec")
    assert {call.rpartition("/")[2] for call in room.api.calls} == {"status"}
