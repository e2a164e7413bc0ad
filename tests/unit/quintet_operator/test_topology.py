"""The document of a pool, and what follows from the answer."""

from typing import Any

import pytest

from quintet_api import names
from quintet_api.broker_pool import BrokerPool
from quintet_api.topology import TopologyStatus
from quintet_operator.dispatch import GATHER
from quintet_operator.lease import LeaseLost
from quintet_operator.topology import POLL_SOON
from tests.unit.quintet_operator.room import Room


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


async def test_a_queue_is_ready_soon_after_somebody_has_its_shard(room: Room) -> None:
    room.broker.unserved = {"orders"}
    room.user("Queue", "orders")
    await room.settle()
    assert room.condition("Queue", "orders", "Applied") == ("False", "Pending")
    room.broker.unserved.clear()
    await room.settle(POLL_SOON)
    assert room.condition("Queue", "orders") == ("True", "Available")


async def test_brokers_are_asked_less_and_less_while_nobody_has_a_shard(room: Room) -> None:
    room.broker.unserved = {"orders"}
    room.user("Queue", "orders")
    await room.settle()
    room.broker.asked = 0
    for _ in range(round(60 / POLL_SOON)):
        await room.settle(POLL_SOON)
    assert room.broker.asked < 12
    room.broker.unserved.add("other")
    room.user("Queue", "other")
    await room.settle()
    room.broker.unserved.clear()
    await room.settle(POLL_SOON)
    assert room.condition("Queue", "other") == ("True", "Available")


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
