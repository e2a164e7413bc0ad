"""The conditions of a BrokerPool."""

from collections.abc import Callable, Iterable
from datetime import datetime

from quintet_api import names
from quintet_api.common import Condition
from quintet_operator.status.brokers_ready import brokers_ready
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import PoolFacts
from quintet_operator.status.ready import summed
from quintet_operator.status.storage_ready import storage_ready
from quintet_operator.status.topology_applied import topology_applied

PARTS: dict[str, Callable[[PoolFacts], Verdict]] = {
    names.STORAGE_READY: storage_ready,
    names.BROKERS_READY: brokers_ready,
    names.TOPOLOGY_APPLIED: topology_applied,
}
"""Causes before effects: brokers wait for Redis, and tell what they hold when they serve."""


def conditions(facts: PoolFacts, old: Iterable[Condition], generation: int, now: datetime) -> list[Condition]:
    """`old`: those that the object has; `generation`: the one that was looked at."""
    return summed(facts, {name: part(facts) for name, part in PARTS.items()}, old, generation, now)
