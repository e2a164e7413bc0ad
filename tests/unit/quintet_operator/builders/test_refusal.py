from typing import Any

import pytest

from quintet_operator.builders.refusal import refusal
from tests.unit.quintet_operator.objects import EXTERNAL, pool


def outside(name: str, type: str = "NodePort") -> dict[str, Any]:  # noqa: A002
    return {"listeners": [{"name": "in"}, {"name": name, "type": type}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"replicas": 32},
        {"storage": EXTERNAL, "durability": "Replicated"},
        outside("o" * 38),
        outside("redis", "Internal"),
    ],
)
def test_what_can_be_built_is_not_refused(spec: dict[str, Any]) -> None:
    assert refusal(pool(**spec)) is None


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        (
            outside("o" * 44),
            "InvalidSpec",
            f"The listener {'o' * 44} needs a Service default-broker-pool-{'o' * 44}, which is longer than 63"
            " characters: give it a shorter name.",
        ),
        (
            outside("pods"),
            "InvalidSpec",
            "The listener pods needs a Service default-broker-pool-pods, which the pool has already: give it"
            " another name.",
        ),
    ],
)
def test_what_cannot_is_refused_with_what_to_do(spec: dict[str, Any], reason: str, words: str) -> None:
    found = refusal(pool(**spec))
    assert found is not None
    assert (found.reason, found.message) == (reason, words)
