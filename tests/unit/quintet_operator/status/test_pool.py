"""What is said of a BrokerPool."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quintet_api.topology import PodStatus, TopologyStatus
from quintet_operator.builders.refusal import Refusal
from quintet_operator.status.pool import PARTS
from quintet_operator.status.ready import summed
from tests.unit.quintet_operator.status.facts import (
    NOW,
    POOL,
    Told,
    assert_ready_tells,
    entry,
    pods,
    tell,
    topology,
    workload,
)

EXTERNAL = {"storage": None, "external": "our-redis"}


def told(**changed: Any) -> Told:
    return tell(PARTS, replace(POOL, **changed))


def test_all_is_well_when_all_parts_are() -> None:
    assert told() == {
        "Ready": ("True", "Available", "Messages go through."),
        "StorageReady": ("True", "Available", "Redis serves."),
        "BrokersReady": ("True", "Available", "All brokers serve."),
        "TopologyApplied": ("True", "Applied", "1 of 1 objects are applied."),
        "StorageDurable": ("True", "Available", "Redis is set up for what spec.durability promises."),
    }


@pytest.mark.parametrize(
    ("part", "changed", "status", "reason", "words"),
    [
        ("StorageReady", {"storage": None}, "False", "StorageNotReady", "Waiting for Redis. Its StatefulSet is not"),
        (
            "StorageReady",
            {"storage": workload("redis", 0)},
            "False",
            "StorageNotReady",
            "0 of 1 pods of StatefulSet redis",
        ),
        ("StorageReady", {"storage": workload("redis", 1, 0)}, "False", "Updating", "Redis is about to be replaced."),
        (
            "StorageReady",
            EXTERNAL | {"external_missing": True},
            "False",
            "SecretNotFound",
            "Secret our-redis with a key url",
        ),
        (
            "StorageReady",
            EXTERNAL | {"external_fault": "It is no URL."},
            "False",
            "InvalidURL",
            "The key url of the Secret our-redis cannot be used: It is no URL.",
        ),
        (
            "BrokersReady",
            {"brokers": workload("brokers", 0)},
            "False",
            "BrokersNotReady",
            "Waiting for the brokers. 0 of 1",
        ),
        (
            "BrokersReady",
            {"brokers": workload("brokers", 1, 0)},
            "False",
            "Updating",
            "Brokers are about to be replaced.",
        ),
        ("TopologyApplied", {"broker_error": "timed out."}, "Unknown", "BrokerUnreachable", "hold: timed out."),
        ("TopologyApplied", {"topology": None}, "False", "Pending", "have not been told yet"),
        ("TopologyApplied", {"revision": None}, "False", "Pending", "have not been told yet"),
        ("TopologyApplied", {"revision": (1, 2)}, "False", "Pending", "Waiting for brokers-0 to apply the topology."),
        (
            "TopologyApplied",
            {"topology": TopologyStatus(revision=(1, 1), pods=[], entries=[])},
            "False",
            "Pending",
            "Waiting for brokers-0 to apply the topology.",
        ),
        (
            "TopologyApplied",
            {"topology": TopologyStatus(revision=(1, 1), pods=[PodStatus(name="b-1", revision=(0, 9))], entries=[])},
            "False",
            "Pending",
            "Waiting for b-1, brokers-0 to apply the topology.",
        ),
        (
            "TopologyApplied",
            {"brokers": workload("brokers", 3, 3, replicas=3), "topology": topology(brokers=2)},
            "False",
            "Pending",
            "Waiting for brokers-2 to apply the topology.",
        ),
    ],
)
def test_ready_tells_the_first_part_that_is_not(
    part: str, changed: dict[str, Any], status: str, reason: str, words: str
) -> None:
    assert_ready_tells(told(**changed), part, status, reason, words)


def test_of_three_brokers_one_that_is_not_ready_is_waited_for_and_its_topology_is_not() -> None:
    brokers = {"brokers": workload("brokers", 2, 3, replicas=3), "broker_pods": pods("brokers", True, False, True)}
    held = topology(brokers=3)
    held.pods.pop(1)
    found = told(**brokers, topology=held)
    assert found["BrokersReady"][:2] == ("False", "BrokersNotReady")
    assert "2 of 3 pods" in found["BrokersReady"][2]
    assert found["TopologyApplied"][0] == "True"
    held.pods.pop(1)
    told_of_one = told(**brokers, topology=held)["TopologyApplied"]
    assert told_of_one == ("False", "Pending", "Waiting for brokers-2 to apply the topology.")


def test_causes_come_before_effects() -> None:
    broken: dict[str, Any] = {"storage": None, "brokers": None, "topology": None}
    for part, mended in zip(PARTS, ("storage", "brokers", "topology"), strict=False):
        found = told(**broken)
        assert found["Ready"] == found[part]
        del broken[mended]
    assert told()["Ready"][0] == "True"


def test_an_external_redis_is_for_the_brokers_to_judge() -> None:
    found = told(**EXTERNAL)
    assert found["StorageReady"] == ("True", "Available", "Redis is where the Secret our-redis says.")
    assert found["Ready"][0] == "True"


def test_what_redis_does_not_hold_of_the_durability_is_told_and_messages_go_through() -> None:
    held = topology()
    held.storage.warnings.extend(["appendonly is no.", "maxmemory-policy is allkeys-lru."])
    found = told(topology=held)
    assert found["StorageDurable"] == ("False", "NotDurable", "appendonly is no. maxmemory-policy is allkeys-lru.")
    assert found["Ready"][0] == "True"
    assert told(topology=None)["StorageDurable"][:2] == ("Unknown", "Pending")


def test_a_refused_object_spoils_only_itself() -> None:
    refused = [entry(name, "Unsupported") for name in "abcd"]
    found = told(topology=topology((1, 1), entry(), *refused))
    assert found["TopologyApplied"] == (
        "True",
        "Applied",
        "1 of 5 objects are applied. Refused: Queue a, Queue b, Queue c, …; their conditions say why.",
    )
    assert found["Ready"][0] == "True"


def test_a_later_revision_than_the_operators_will_do() -> None:
    assert told(topology=topology((1, 9)))["TopologyApplied"][0] == "True"


def test_what_the_user_has_to_change_comes_first_and_parts_tell_what_is() -> None:
    refusal = Refusal("Unsupported", "Set it to 1.")
    found = told(refusal=refusal, name_taken=["Secret/x"], storage=None)
    assert found["Ready"] == ("False", "Unsupported", "Set it to 1.")
    assert found["StorageReady"][1] == "StorageNotReady"
    assert found["BrokersReady"][0] == "True"


def test_a_taken_name_is_told_with_what_is_in_the_way() -> None:
    status, reason, message = told(name_taken=["Secret/x", "Service/y"], brokers=None)["Ready"]
    assert (status, reason) == ("False", "NameTaken")
    assert message == (
        "Not ours and left untouched: Secret/x, Service/y. Delete what is in the way, or choose another name."
    )


def test_where_the_operator_is_stopped_the_parts_stay_as_they_were() -> None:
    before = summed(PARTS, POOL, (), 1, NOW)
    later = NOW + timedelta(hours=1)
    after = summed(PARTS, replace(POOL, disabled=True, storage=None, name_taken=["Secret/x"]), before, 2, later)
    assert after[1:] == before[1:]
    assert (after[0].status, after[0].reason, after[0].observed_generation) == ("Unknown", "ReconcileDisabled", 2)
    assert "remove the annotation quintet.dev/reconcile" in after[0].message
    assert after[0].last_transition_time == later
    assert summed(PARTS, POOL, after, 2, later)[1:] == [
        condition.model_copy(update={"observed_generation": 2}) for condition in before[1:]
    ]
