"""The conditions of a BrokerPool."""

from collections.abc import Callable

from quintet_api import names
from quintet_operator.status.brokers_ready import brokers_ready
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import PoolFacts
from quintet_operator.status.storage_durable import storage_durable
from quintet_operator.status.storage_ready import storage_ready
from quintet_operator.status.topology_applied import topology_applied

PARTS: dict[str, Callable[[PoolFacts], Verdict]] = {
    names.STORAGE_READY: storage_ready,
    names.BROKERS_READY: brokers_ready,
    names.TOPOLOGY_APPLIED: topology_applied,
    names.STORAGE_DURABLE: storage_durable,
}
"""Causes before effects: brokers wait for Redis, and tell what they hold when they serve."""
