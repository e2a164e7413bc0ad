"""What the watches told, in whatever order they tell it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_api import names
from quintet_operator.index import Index, Key, key

PLACE = Key("Queue", "shop", "orders")
POOL = Key("BrokerPool", "shop", "default")


def queue(uid: str, version: int, *, pool: str = "default", leaves: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": "shop", "name": "orders", "uid": uid, "resourceVersion": str(version)}
    if leaves:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"kind": "Queue", "metadata": metadata, "spec": {"brokerPool": pool}}


def child(name: str, uid: str, version: int, parent: str = "default") -> dict[str, Any]:
    labels = {names.KIND_LABEL: "BrokerPool", names.NAME_LABEL: parent}
    metadata = {"namespace": "shop", "name": name, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"kind": "Service", "metadata": metadata}


EVENTS = [
    ("put", queue("old", 1)),
    ("put", queue("old", 3, leaves=True)),
    ("drop", queue("old", 4, leaves=True)),
    ("put", queue("new", 5)),
    ("put", queue("new", 8)),
]


@given(events=st.permutations([*EVENTS, *EVENTS]))
def test_events_and_late_answers_in_any_order_end_in_what_is(events: list[tuple[str, dict[str, Any]]]) -> None:
    index = Index()
    for verb, manifest in events:
        getattr(index, verb)(manifest)
    assert index.get(PLACE) == queue("new", 8)
    assert index.queues(POOL) == [PLACE]
    assert len(list(index.of_kind("Queue"))) == 1


def test_of_two_in_one_place_the_one_that_stays_is_seen() -> None:
    index = Index()
    index.put(queue("new", 5))
    index.put(queue("old", 9, leaves=True))
    assert index.get(PLACE) == queue("new", 5)


def test_what_had_our_label_no_more_may_have_it_again() -> None:
    """A watch with a selector tells its end; but it is there, and its uid is the same."""
    index = Index()
    index.put(child("a", "u", 1))
    index.drop(child("a", "u", 2))
    assert index.get(key(child("a", "u", 1))) is None
    index.put(child("a", "u", 3))
    assert index.get(key(child("a", "u", 1))) == child("a", "u", 3)


def test_relations_follow_the_newest_state() -> None:
    index = Index()
    index.put(queue("q", 1))
    index.put(queue("q", 2, pool="fast"))
    assert index.queues(POOL) == []
    assert index.queues(POOL._replace(name="fast")) == [PLACE]
    index.put(child("a", "u", 1))
    index.put(child("a", "u", 2, parent="fast"))
    assert index.children(POOL) == []
    assert index.children(POOL._replace(name="fast")) == [child("a", "u", 2, parent="fast")]


def test_nothing_is_left_of_what_went() -> None:
    index = Index()
    index.put(queue("q", 1))
    index.drop(queue("q", 1))
    assert index.get(PLACE) is None
    assert index.queues(POOL) == []
    assert len(index) == 0


@pytest.mark.parametrize("name", ["x", "y"])
def test_children_of_others_are_not_told(name: str) -> None:
    index = Index()
    index.put(child("a", "u", 1, parent="x"))
    assert bool(index.children(POOL._replace(name=name))) == (name == "x")
