"""What is said of a Queue."""

from dataclasses import replace
from typing import Any

import pytest

from quintet_operator.builders.refusal import Refusal
from quintet_operator.status.queue import PARTS
from tests.unit.quintet_operator.status.facts import QUEUE, Told, assert_ready_tells, entry, ready, tell

STORAGE = ready("True", type="StorageReady")
MISSING = {"pool_found": False, "pool_conditions": ()}


def told(**changed: Any) -> Told:
    return tell(PARTS, replace(QUEUE, **changed))


def test_all_is_well_when_all_parts_are() -> None:
    assert {type: found[:2] for type, found in told().items()} == {  # noqa: A001
        "Ready": ("True", "Available"),
        "PoolReady": ("True", "Available"),
        "Applied": ("True", "Applied"),
        "Bound": ("True", "Bound"),
    }


@pytest.mark.parametrize(
    ("part", "changed", "status", "reason", "words"),
    [
        (
            "PoolReady",
            MISSING,
            "False",
            "BrokerPoolNotFound",
            "There is no BrokerPool default in this namespace: apply one.",
        ),
        ("PoolReady", MISSING | {"pool_awaited": True}, "False", "Pending", "is made in a few seconds"),
        ("PoolReady", {"pool_conditions": ()}, "False", "BrokerPoolNotReady", "Waiting for the BrokerPool default."),
        (
            "PoolReady",
            {"pool_conditions": (ready("False", "StorageNotReady", "Waiting for Redis."),)},
            "False",
            "BrokerPoolNotReady",
            "The BrokerPool default is not ready: StorageNotReady: Waiting for Redis.",
        ),
        (
            "PoolReady",
            {"pool_conditions": (ready("False", "BrokersNotReady", "1 of 3."), STORAGE), "entry": None},
            "False",
            "BrokerPoolNotReady",
            "The BrokerPool default is not ready: BrokersNotReady: 1 of 3.",
        ),
        (
            "PoolReady",
            {"pool_conditions": (ready("False", "NameTaken", "Service/x."), STORAGE)},
            "False",
            "BrokerPoolNotReady",
            "The BrokerPool default is not ready: NameTaken: Service/x.",
        ),
        (
            "PoolReady",
            {"pool_conditions": (ready("Unknown", "BrokerUnreachable"),)},
            "Unknown",
            "BrokerPoolNotReady",
            "is not ready: BrokerUnreachable",
        ),
        (
            "PoolReady",
            {"pool_conditions": (ready("Unknown", "Pending"),)},
            "False",
            "BrokerPoolNotReady",
            "Waiting for",
        ),
        ("Applied", {"entry": None}, "False", "Pending", "Waiting for the brokers to apply it."),
        ("Applied", {"entry": None, "broker_error": "no route"}, "Unknown", "BrokerUnreachable", "hold: no route."),
        (
            "Applied",
            {"entry": entry("orders", "DeadLetterQueueNotFound", "There is no queue failed.")},
            "False",
            "DeadLetterQueueNotFound",
            "There is no queue failed.",
        ),
        ("Bound", {"bound": False}, "False", "Pending", "Waiting for the credentials of its BrokerPool"),
        (
            "Bound",
            {"name_taken": ["Secret/orders-queue"]},
            "False",
            "NameTaken",
            "left untouched: Secret/orders-queue.",
        ),
    ],
)
def test_ready_tells_the_first_part_that_is_not(
    part: str, changed: dict[str, Any], status: str, reason: str, words: str
) -> None:
    assert_ready_tells(told(**changed), part, status, reason, words)


def test_a_queue_is_served_by_the_brokers_that_are_there() -> None:
    for reason in "BrokersNotReady", "Updating", "Pending":
        found = told(pool_conditions=(ready("False", reason), STORAGE))
        assert found["Ready"][:2] == ("True", "Available"), reason
        assert "not by all its brokers" in found["PoolReady"][2]


def test_causes_come_before_effects() -> None:
    broken: dict[str, Any] = {"pool_found": False, "entry": None, "bound": False}
    for part, mended in zip(PARTS, list(broken), strict=True):
        found = told(**broken)
        assert found["Ready"] == found[part]
        del broken[mended]


def test_what_the_user_has_to_change_comes_first() -> None:
    found = told(refusal=Refusal("InvalidSpec", "Do this."), name_taken=["Secret/x"], **MISSING)
    assert found["Ready"] == ("False", "InvalidSpec", "Do this.")
    assert told(name_taken=["Secret/x"], **MISSING)["Ready"][1] == "NameTaken"


def test_where_the_operator_is_stopped_before_it_saw_the_queue_ready_is_all_that_is_said() -> None:
    assert list(told(disabled=True)) == ["Ready"]
    assert told(disabled=True)["Ready"][:2] == ("Unknown", "ReconcileDisabled")
