import pytest

from quintet_operator.builders.metadata import child_name, labels, metadata, selector, selector_text
from tests.unit.quintet_operator.objects import pool, queue


@pytest.mark.parametrize(
    ("kind", "name", "part", "expected"),
    [
        ("Queue", "orders", "", "orders-queue"),
        ("BrokerPool", "default", "", "default-broker-pool"),
        ("BrokerPool", "default", "redis", "default-broker-pool-redis"),
    ],
)
def test_a_child_is_named_after_its_owner_and_kind(kind: str, name: str, part: str, expected: str) -> None:
    assert child_name(kind, name, part) == expected


def test_what_is_not_owned_has_no_owner() -> None:
    assert "ownerReferences" in metadata(queue(), component="binding")
    assert "ownerReferences" not in metadata(queue(), component="binding", owned=False)


def test_labels_say_the_pool_that_is_used() -> None:
    assert labels(queue(brokerPool="fast"), "binding")["quintet.dev/pool"] == "fast"
    assert labels(pool("fast"), "redis")["quintet.dev/pool"] == "fast"


def test_a_selector_is_a_part_of_the_labels() -> None:
    assert selector(pool(), "broker").items() < labels(pool(), "broker").items()
    assert selector_text(pool(), "broker") == (
        "quintet.dev/kind=BrokerPool,quintet.dev/name=default,app.kubernetes.io/component=broker"
    )
