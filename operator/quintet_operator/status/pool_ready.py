"""PoolReady of a Queue: its BrokerPool is ready."""

from collections.abc import Sequence

from quintet_api import names
from quintet_api.common import Condition
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import QueueFacts

PARTLY = (names.BROKERS_NOT_READY, names.UPDATING, names.PENDING)
"""Why a pool is not ready of which a part may serve all the same."""


def pool_ready(facts: QueueFacts) -> Verdict:
    if facts.pool_awaited:
        message = f"The BrokerPool {facts.pool} is made in a few seconds, if nobody applies one."
        return Verdict("False", names.PENDING, message)
    if not facts.pool_found:
        message = f"There is no BrokerPool {facts.pool} in this namespace: apply one."
        return Verdict("False", names.BROKER_POOL_NOT_FOUND, message)
    ready = _of_type(facts.pool_conditions, names.READY)
    if ready and ready.status == "True":
        return Verdict("True", names.AVAILABLE, f"The BrokerPool {facts.pool} is ready.")
    if ready and ready.reason in PARTLY and _serves(facts):
        return Verdict("True", names.AVAILABLE, f"The BrokerPool {facts.pool} serves, if not by all its brokers yet.")
    if ready is None or ready.reason == names.PENDING:
        return Verdict("False", names.BROKER_POOL_NOT_READY, f"Waiting for the BrokerPool {facts.pool}.")
    message = f"The BrokerPool {facts.pool} is not ready: {ready.reason}: {ready.message}"
    return Verdict(ready.status, names.BROKER_POOL_NOT_READY, message)


def _serves(facts: QueueFacts) -> bool:
    """Some broker is there, and says that somebody has the queue's shard."""
    storage = _of_type(facts.pool_conditions, names.STORAGE_READY)
    return facts.entry is not None and storage is not None and storage.status == "True"


def _of_type(conditions: Sequence[Condition], wanted: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == wanted), None)
