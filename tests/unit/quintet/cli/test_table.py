from datetime import UTC, datetime

import pytest

from quintet.cli.table import age, at, described, table
from quintet_api.queue import Queue

ORDERS = {
    "metadata": {
        "name": "orders",
        "creationTimestamp": "2000-01-01T00:00:00Z",
        "annotations": {"quintet.dev/source": "orders.yaml:1"},
    },
    "spec": {"ordering": "Standard", "brokerPool": "default"},
    "status": {
        "conditions": [{"type": "Other", "status": "Unknown"}, {"type": "Ready", "status": "True", "reason": "Fine"}],
        "messages": {"visible": 3, "inFlight": 0},
    },
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".metadata.name", "orders"),
        (".status.messages.visible", 3),
        ('.status.conditions[?(@.type=="Ready")].reason', "Fine"),
        ('.status.conditions[?(@.type=="Gone")].reason', None),
        (".spec.deadLetter.queue", None),
        (".metadata.name.deeper", None),
    ],
)
def test_at_finds_what_a_column_names(path: str, value: object) -> None:
    assert at(ORDERS, path) == value


def test_a_table_has_the_kinds_own_columns() -> None:
    head, row = table(Queue.definition, [ORDERS], wide=False, prefix="queue/").splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "ORDERING", "POOL", "VISIBLE", "IN-FLIGHT", "AGE"]
    assert row.split()[:-1] == ["queue/orders", "True", "Fine", "Standard", "default", "3", "0"]
    head, row = table(Queue.definition, [ORDERS], wide=True).splitlines()
    assert head.split()[-3:] == ["DEAD-LETTER", "AGE", "SOURCE"]
    assert (row.split()[-3], row.split()[-1]) == ("<none>", "orders.yaml:1")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (datetime(1999, 12, 31, tzinfo=UTC), "0s"),
        (datetime(2000, 1, 1, 0, 0, 59, tzinfo=UTC), "59s"),
        (datetime(2000, 1, 1, 0, 1, 59, tzinfo=UTC), "1m"),
        (datetime(2000, 1, 1, 23, 59, tzinfo=UTC), "23h"),
        (datetime(2000, 1, 3, tzinfo=UTC), "2d"),
    ],
)
def test_age_is_the_largest_whole_unit(now: datetime, told: str) -> None:
    assert age("2000-01-01T00:00:00Z", now) == told


def test_described_has_a_line_for_each_field() -> None:
    lines = list(described({"name": "a", "spec": {"visibilityTimeout": "30s", "paused": False}}))
    assert lines == ["Name:  a", "Spec:", "  Visibility Timeout:  30s", "  Paused:              false"]


def test_described_has_an_item_for_each_of_a_list_and_no_empty_section() -> None:
    listeners = [{"name": "internal", "type": "Internal"}, {"name": "outer", "type": "NodePort"}]
    assert list(described({"annotations": {}, "spec": {"listeners": listeners, "hosts": ["a"], "none": []}})) == [
        "Spec:",
        "  Listeners:",
        "    - Name:  internal",
        "      Type:  Internal",
        "    - Name:  outer",
        "      Type:  NodePort",
        "  Hosts:",
        "    - a",
    ]
