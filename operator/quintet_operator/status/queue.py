"""The conditions of a Queue."""

from collections.abc import Callable

from quintet_api import names
from quintet_operator.status.applied import applied
from quintet_operator.status.bound import bound
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import QueueFacts
from quintet_operator.status.pool_ready import pool_ready

PARTS: dict[str, Callable[[QueueFacts], Verdict]] = {
    names.POOL_READY: pool_ready,
    names.APPLIED: applied,
    names.BOUND: bound,
}
"""Causes before effects: a pool that is not ready applies nothing."""
