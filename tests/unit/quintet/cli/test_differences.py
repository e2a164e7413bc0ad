"""How what is there differs from what is wanted."""

from typing import Any

import pytest

from quintet.cli.differences import differences, removals


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        ({"a": 1}, {"a": 1, "added": 2}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 2 → 1"]),
        ({"a": 1}, {}, ["a: nothing → 1"]),
        ({"a": [], "b": "", "c": {}}, {}, []),
        ({"a": False}, {}, ["a: nothing → False"]),
        ({"ports": [{"port": 1}]}, {"ports": [{"port": 1, "protocol": "TCP"}]}, []),
        ({"ports": [{"port": 1}]}, {"ports": [{"port": 2}]}, ["ports[0].port: 2 → 1"]),
        ({"a": ["x", "y"]}, {"a": ["x"]}, ["a: ['x'] → ['x', 'y']"]),
        ({"a": "<later>", "b": "id-<later>"}, {"a": "x", "b": "id-1"}, []),
    ],
)
def test_differences(wanted: Any, found: Any, told: list[str]) -> None:
    assert [str(one) for one in differences(wanted, found, ("<later>",))] == told


def test_removals() -> None:
    found = {"deadLetter": {"queue": "a", "expired": True}, "shards": 2}
    told = [str(one) for one in removals({"deadLetter": {"queue": "a"}}, found, "spec")]
    assert told == ["spec.deadLetter.expired: True → nothing", "spec.shards: 2 → nothing"]
