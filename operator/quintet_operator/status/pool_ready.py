"""PoolReady of a Queue: its BrokerPool is ready."""

from quintet_api import names
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import QueueFacts


def pool_ready(facts: QueueFacts) -> Verdict:
    if facts.pool_awaited:
        message = f"The BrokerPool {facts.pool} is made in a few seconds, if nobody applies one."
        return Verdict("False", names.PENDING, message)
    if not facts.pool_found:
        message = f"There is no BrokerPool {facts.pool} in this namespace: apply one."
        return Verdict("False", names.BROKER_POOL_NOT_FOUND, message)
    ready = next((condition for condition in facts.pool_conditions if condition.type == names.READY), None)
    if ready is None or ready.reason == names.PENDING:
        return Verdict("False", names.BROKER_POOL_NOT_READY, f"Waiting for the BrokerPool {facts.pool}.")
    if ready.status == "True":
        return Verdict("True", names.AVAILABLE, f"The BrokerPool {facts.pool} is ready.")
    message = f"The BrokerPool {facts.pool} is not ready: {ready.reason}: {ready.message}"
    return Verdict(ready.status, names.BROKER_POOL_NOT_READY, message)
