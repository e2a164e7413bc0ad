"""StorageDurable of a BrokerPool: its Redis keeps what the pool's durability promises, as the brokers found it."""

from quintet_api import names
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import PoolFacts


def storage_durable(facts: PoolFacts) -> Verdict:
    if facts.topology is None:
        return Verdict("Unknown", names.PENDING, "No broker has told yet how its Redis is set up.")
    if facts.topology.storage.warnings:
        return Verdict("False", names.NOT_DURABLE, " ".join(facts.topology.storage.warnings))
    return Verdict("True", names.AVAILABLE, "Redis is set up for what spec.durability promises.")
