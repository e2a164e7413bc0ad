"""StorageReady of a BrokerPool: its Redis serves."""

from quintet_api import names
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import PoolFacts
from quintet_operator.status.workload import progress, state


def storage_ready(facts: PoolFacts) -> Verdict:
    if facts.external:
        return _external(facts)
    match state(facts.storage):
        case "Ready":
            # Messages go through all the same.
            small = f" Its volume does not grow: {facts.volume_refusal}" if facts.volume_refusal else ""
            return Verdict("True", names.AVAILABLE, f"Redis serves.{small}")
        case "Updating":
            return Verdict("False", names.UPDATING, "Redis is about to be replaced. Wait until it is back.")
    told = f"Waiting for Redis. {progress(facts.storage, facts.storage_pods)}"
    return Verdict("False", names.STORAGE_NOT_READY, told)


def _external(facts: PoolFacts) -> Verdict:
    """Whether it serves is for the brokers to tell: they are not ready without it."""
    if facts.external_missing:
        message = f"There is no Secret {facts.external} with a key url: make it, or correct spec.storage.external."
        return Verdict("False", names.SECRET_NOT_FOUND, message)
    if facts.external_fault:
        message = f"The key url of the Secret {facts.external} cannot be used: {facts.external_fault}"
        return Verdict("False", names.INVALID_URL, message)
    return Verdict("True", names.AVAILABLE, f"Redis is where the Secret {facts.external} says.")
