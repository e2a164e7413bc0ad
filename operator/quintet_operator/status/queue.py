"""The conditions of a Queue."""

from collections.abc import Callable, Iterable
from datetime import datetime

from quintet_api import names
from quintet_api.common import Condition
from quintet_operator.status.applied import applied
from quintet_operator.status.bound import bound
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import QueueFacts
from quintet_operator.status.pool_ready import pool_ready
from quintet_operator.status.ready import summed

PARTS: dict[str, Callable[[QueueFacts], Verdict]] = {
    names.POOL_READY: pool_ready,
    names.APPLIED: applied,
    names.BOUND: bound,
}
"""Causes before effects: a pool that is not ready applies nothing."""


def conditions(facts: QueueFacts, old: Iterable[Condition], generation: int, now: datetime) -> list[Condition]:
    """`old`: those that the object has; `generation`: the one that was looked at."""
    return summed(facts, {name: part(facts) for name, part in PARTS.items()}, old, generation, now)
