"""What the operator decides, against a fake API server and a fake broker."""

import base64
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from quintet_api import names
from quintet_api.broker_pool import BrokerPool
from quintet_api.topology import TopologyStatus
from quintet_operator.cluster import KINDS, ApiError
from quintet_operator.dispatch import GATHER
from quintet_operator.index import Key, key
from quintet_operator.kinds.queue import COUNTED_EVERY
from quintet_operator.lease import LeaseLost
from quintet_operator.rollouts import STUCK
from tests.unit.quintet_operator.room import Room

POOL = Key("BrokerPool", "shop", "default")
CREDENTIALS = "default-broker-pool-credentials"


@pytest.fixture
async def room() -> Room:
    """With a pool that serves."""
    made = Room()
    await made.ready_pool()
    return made


def uid(room: Room, kind: str, name: str) -> str:
    held = room.api.get(kind, name)
    assert held
    return str(held["metadata"]["uid"])


async def test_a_pool_and_a_queue_become_ready(room: Room) -> None:
    assert room.condition("BrokerPool", "default") == ("True", "Available")
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("Queue", "orders") == ("True", "Available")
    held = room.api.get("Queue", "orders")
    assert held
    assert held["status"]["binding"] == {"name": "orders-queue"}
    assert held["status"]["url"] == "http://default-broker-pool.shop.svc:9400/000000000000/orders"
    assert held["status"]["messages"] == {"visible": 0, "inFlight": 0, "delayed": 0}
    pool = room.api.get("BrokerPool", "default")
    assert pool
    assert pool["status"]["objects"] == 1


async def test_at_rest_nothing_is_written(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.api.calls.clear()
    for kind in ("BrokerPool", "Queue"):
        for manifest in list(room.index.of_kind(kind)):
            room.queue.add(key(manifest))
    puts = len(room.broker.puts)
    await room.settle(60)
    assert room.api.calls == []
    assert len(room.broker.puts) == puts


async def test_a_new_leader_says_nothing_else_of_what_goes_on(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.api.calls.clear()
    new = Room(room.api, room.broker)
    await new.lease.try_once()
    await new.settle(0)
    await new.settle(1)
    await new.settle(10)
    assert new.broker.puts
    assert [call for call in room.api.calls if call.endswith("/status")] == []


async def test_a_new_leader_that_finds_the_broker_away_says_so(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.broker.error = "they are away"
    new = Room(room.api, room.broker)
    await new.settle(0)
    assert new.condition("Queue", "orders") == ("True", "Available")
    # One that does not answer once may be one that is there again.
    await new.settle(0.2)
    assert new.condition("Queue", "orders") == ("True", "Available")
    await new.settle(1)
    assert new.condition("Queue", "orders")[1] == "BrokerPoolNotReady"
    assert new.condition("BrokerPool", "default") == ("Unknown", "BrokerUnreachable")


# The pool that nobody applied


async def test_the_default_pool_is_made_after_a_while() -> None:
    room = Room()
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("Queue", "orders") == ("False", "Pending")
    await room.settle(4.5)
    assert room.api.get("BrokerPool", "default") is None
    await room.settle(0.5)
    made = room.api.get("BrokerPool", "default")
    assert made
    assert "spec" not in made
    assert not made["metadata"].get("labels")
    assert not made["metadata"].get("ownerReferences")


async def test_one_that_is_applied_meanwhile_stays_as_it_is() -> None:
    room = Room()
    room.user("Queue", "orders")
    await room.settle()
    room.api.put(
        {
            "apiVersion": "quintet.dev/v1",
            "kind": "BrokerPool",
            "metadata": {"namespace": "shop", "name": "default"},
            "spec": {"durability": "Memory"},
        }
    )
    await room.settle(5)
    made = room.api.get("BrokerPool", "default")
    assert made
    assert made["spec"] == {"durability": "Memory"}


async def test_none_is_made_of_another_name_nor_for_a_queue_that_had_one(room: Room) -> None:
    room.user("Queue", "orders")
    room.user("Queue", "other", brokerPool="fast")
    await room.settle()
    room.gone("BrokerPool", "default")
    await room.settle(20)
    for name in "orders", "other":
        assert room.condition("Queue", name) == ("False", "BrokerPoolNotFound")
    assert room.api.get("BrokerPool", "default") is None
    assert room.api.get("BrokerPool", "fast") is None
    room.user("Queue", "new")
    await room.settle()
    await room.settle(5)
    assert room.api.get("BrokerPool", "default")


async def test_none_is_made_in_a_namespace_that_ends() -> None:
    room = Room()
    room.user("Queue", "orders")
    path = KINDS["BrokerPool"].path("shop")
    room.api.refused[path] = ApiError(HTTPStatus.FORBIDDEN, "Forbidden", "it ends", ("NamespaceTerminating",))
    await room.settle()
    await room.settle(5)
    assert room.api.get("BrokerPool", "default") is None


# Children


async def test_a_child_that_goes_comes_back(room: Room) -> None:
    children = [(one["kind"], one["metadata"]["name"]) for one in room.index.children(POOL)]
    assert len(children) == 10
    for kind, name in children:
        before = uid(room, kind, name)
        room.gone(kind, name)
        await room.settle()
        assert uid(room, kind, name) != before


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
    assert before["metadata"]["ownerReferences"][0]["uid"] == uid(room, "BrokerPool", "default")
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
    return [{"kind": "Queue", "name": name, "uid": uid(room, "Queue", name), "controller": True}]


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


async def test_what_is_not_supported_changes_nothing(room: Room) -> None:
    room.api.calls.clear()
    room.user("BrokerPool", "default", replicas=3)
    await room.settle()
    assert room.condition("BrokerPool", "default") == ("False", "Unsupported")
    assert {call.rpartition("/")[2] for call in room.api.calls} == {"status"}


# Restarts of pods


async def test_redis_first_then_the_brokers(room: Room) -> None:
    def image(name: str) -> Any:
        held = room.api.get("StatefulSet", name)
        assert held
        return held["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]

    room.user(
        "BrokerPool",
        "default",
        resources={"limits": {"memory": "1Gi"}},
        storage={"resources": {"limits": {"memory": "2Gi"}}},
    )
    await room.settle()
    assert (image("default-broker-pool-redis"), image("default-broker-pool")) == ("2Gi", "512Mi")
    room.serve("default-broker-pool-redis")
    await room.settle()
    assert image("default-broker-pool") == "1Gi"


async def test_pools_are_restarted_one_at_a_time(room: Room) -> None:
    room.user("BrokerPool", "fast")
    await room.settle()
    room.serve("fast-broker-pool-redis", "fast-broker-pool")
    await room.settle()

    def changed() -> list[str]:
        found = [room.api.get("StatefulSet", f"{name}-broker-pool") for name in ("default", "fast")]
        return [
            one["metadata"]["name"].partition("-")[0]
            for one in found
            if one and one["spec"]["template"]["spec"]["containers"][0]["image"] == "new"
        ]

    for name in "default", "fast":
        room.user("BrokerPool", name, image="new")
    await room.settle()
    assert changed() == ["default"]
    await room.settle(6)
    assert changed() == ["default"]
    room.serve("default-broker-pool")
    await room.settle(6)
    assert changed() == ["default", "fast"]
    room.user("BrokerPool", "default", image="bad")
    await room.settle(STUCK)
    room.user("BrokerPool", "fast", image="newer")
    await room.settle(6)
    assert changed() == ["fast"]
    room.serve("fast-broker-pool")
    await room.settle(STUCK)
    assert changed() == []


# The topology


async def test_changes_are_gathered_into_one_document(room: Room) -> None:
    puts = len(room.broker.puts)
    for number in range(50):
        room.user("Queue", f"q{number}")
        await room.settle(GATHER / 60)
    assert len(room.broker.puts) == puts
    await room.settle()
    assert len(room.broker.puts) == puts + 1
    assert len(room.broker.entries) == 50
    assert all(room.condition("Queue", f"q{number}") == ("True", "Available") for number in range(50))


async def test_a_refusal_is_the_queues_own(room: Room) -> None:
    room.broker.refuses["bad"] = "DataConflict"
    room.user("Queue", "good")
    room.user("Queue", "bad")
    await room.settle()
    assert room.condition("Queue", "good") == ("True", "Available")
    assert room.condition("Queue", "bad") == ("False", "DataConflict")
    assert room.condition("BrokerPool", "default") == ("True", "Available")


async def test_a_change_is_not_applied_before_the_brokers_say_so(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.broker.error = "they are away"
    room.user("Queue", "orders", paused=True)
    await room.settle()
    await room.settle(0.5)
    assert room.condition("Queue", "orders", "Applied") == ("Unknown", "BrokerUnreachable")
    assert room.condition("BrokerPool", "default") == ("Unknown", "BrokerUnreachable")
    room.gone("Service", "default-broker-pool")
    await room.settle()
    assert room.api.get("Service", "default-broker-pool")
    room.broker.error = ""
    await room.settle(60)
    assert room.condition("Queue", "orders") == ("True", "Available")
    assert room.broker.entries[0].spec == {"brokerPool": "default", "paused": True}


async def test_what_was_applied_of_an_older_spec_is_not_told_of_a_newer(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.user("Queue", "orders", paused=True)
    await room.settle(GATHER / 2)
    assert room.condition("Queue", "orders", "Applied") == ("False", "Pending")
    await room.settle()
    assert room.condition("Queue", "orders") == ("True", "Available")


async def test_a_queue_that_goes_leaves_the_document_before_it_is_gone(room: Room) -> None:
    room.user("Queue", "orders")
    room.user("Queue", "other")
    await room.settle()
    held = room.api.get("Queue", "orders")
    assert held
    held["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    room.sees(room.api.put(held))
    await room.settle()
    assert [entry.name for entry in room.broker.entries] == ["other"]


async def test_a_stopped_queue_keeps_its_last_entry(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    _stop(room, "orders")
    room.user("Queue", "orders", paused=True)
    await room.settle()
    assert room.condition("Queue", "orders") == ("Unknown", "ReconcileDisabled")
    [entry] = room.broker.entries
    assert entry.spec == {"brokerPool": "default"}


async def test_a_stopped_queue_keeps_its_entry_under_a_new_leader(room: Room) -> None:
    """Which does not know how it was; the brokers do."""
    for name in "orders", "other":
        room.user("Queue", name)
        await room.settle()
        _stop(room, name)
    room.user("Queue", "orders", paused=True)
    _stop(room, "never", room.user("Queue", "never"))
    await room.settle()
    new = Room(room.api, room.broker)
    await new.lease.try_once()
    new.lease.term = 1
    await new.settle(1)
    assert {entry.name: entry.spec for entry in room.broker.entries} == {"orders": None, "other": None}


def _stop(room: Room, name: str, held: dict[str, Any] | None = None) -> None:
    held = held or room.api.get("Queue", name)
    assert held
    held["metadata"]["annotations"] = {names.RECONCILE_ANNOTATION: "disabled"}
    room.sees(room.api.put(held))


async def test_brokers_that_lost_what_they_held_are_told_again(room: Room) -> None:
    room.user("Queue", "orders")
    await room.settle()
    room.broker.revision, room.broker.entries = (0, 0), []
    await room.settle(10)
    assert [entry.name for entry in room.broker.entries] == ["orders"]
    assert room.condition("Queue", "orders") == ("True", "Available")


async def test_a_lease_that_was_lost_is_raised_above_what_the_brokers_hold() -> None:
    room = Room()
    room.broker.revision = (7, 30)
    await room.ready_pool()
    assert room.replicas.spec["leaseTransitions"] == 8
    assert room.broker.revision == (8, 1)
    assert room.condition("BrokerPool", "default") == ("True", "Available")


async def test_a_broker_that_was_told_of_a_larger_term_meanwhile(room: Room) -> None:
    asked = room.broker.get

    async def get(pool: BrokerPool, token: str) -> TopologyStatus:
        try:
            return await asked(pool, token)
        finally:
            if room.broker.revision < (5, 0):
                room.broker.revision = (5, 3)

    room.broker.get = get  # type: ignore[method-assign]
    room.user("Queue", "orders")
    await room.settle()
    assert room.broker.revision == (6, 1)
    assert room.condition("Queue", "orders") == ("True", "Available")


async def test_a_newer_document_of_another_leader_ends_this_one(room: Room) -> None:
    room.replicas.now += 9
    other = room.replicas.leases[1]
    room.replicas.store.lease = None
    assert await other.try_once()
    room.broker.revision = (9, 1)
    room.user("Queue", "orders")
    with pytest.raises(LeaseLost):
        await room.settle()
    assert room.broker.revision == (9, 1)


async def test_the_counter_goes_on_above_what_the_brokers_hold_of_this_term() -> None:
    room = Room()
    room.broker.revision = (0, 41)
    await room.ready_pool()
    assert room.broker.revision == (0, 42)


# Counts


async def test_counts_are_told_now_and_then(room: Room) -> None:
    def visible() -> int:
        held = room.api.get("Queue", "orders")
        assert held
        return int(held["status"]["messages"]["visible"])

    room.user("Queue", "orders")
    await room.settle()
    for seconds, told in (10, 0), (10, 0), (COUNTED_EVERY - 19, 30):
        room.broker.visible += 10
        await room.settle(seconds)
        assert visible() in (told, told - 10)
    room.api.calls.clear()
    for _ in range(3):
        await room.settle(10)
    assert visible() == 30
    assert len(room.api.calls) <= 1


# What is stopped, unreadable, or gone


async def test_a_spec_of_a_newer_api_is_told_and_left_alone(room: Room) -> None:
    room.api.calls.clear()
    room.user("Queue", "orders", ordering="Random")
    await room.settle()
    assert room.condition("Queue", "orders") == ("False", "InvalidSpec")
    await room.settle(60)
    assert len([call for call in room.api.calls if "/queues/orders" in call]) == 1


async def test_an_object_that_is_gone_before_its_status_is_written(room: Room) -> None:
    room.user("Queue", "orders")
    room.api.remove("Queue", "orders")
    await room.settle()
    assert room.api.get("Queue", "orders") is None


async def test_a_queue_says_that_its_pool_is_of_a_newer_api() -> None:
    room = Room()
    await room.lease.try_once()
    room.user("BrokerPool", "default", durability="Twice")
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("BrokerPool", "default") == ("False", "InvalidSpec")
    assert room.condition("Queue", "orders") == ("False", "BrokerPoolNotReady")
