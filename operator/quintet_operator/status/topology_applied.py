"""TopologyApplied of a BrokerPool: all its brokers hold what its objects ask for."""

from collections.abc import Iterator

from quintet_api import names
from quintet_api.topology import EntryStatus, Revision, TopologyStatus
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import PoolFacts
from quintet_operator.status.workload import ready_pods

NAMED = 3
"""Refused objects that a message names."""


def topology_applied(facts: PoolFacts) -> Verdict:
    if facts.broker_error:
        message = f"The brokers do not tell what they hold: {facts.broker_error.rstrip('.')}."
        return Verdict("Unknown", names.BROKER_UNREACHABLE, message)
    if facts.topology is None or facts.revision is None:
        return Verdict("False", names.PENDING, "The brokers have not been told yet what to hold.")
    waits = sorted({*_behind(facts.topology, facts.revision), *_missing(facts)})
    if waits or facts.topology.revision < facts.revision or not facts.topology.pods:
        told = f"Waiting for {', '.join(waits) or 'the brokers'} to apply the topology."
        return Verdict("False", names.PENDING, told)
    return Verdict("True", names.APPLIED, _told(facts.topology.entries))


def _behind(topology: TopologyStatus, revision: Revision) -> Iterator[str]:
    return (pod.name for pod in topology.pods if pod.revision < revision)


def _missing(facts: PoolFacts) -> set[str]:
    """Brokers that are ready, and that the others do not know."""
    listed = {pod.name for pod in facts.topology.pods} if facts.topology else set()
    return ready_pods(facts.brokers, facts.broker_pods) - listed


def _told(entries: list[EntryStatus]) -> str:
    """A bad entry spoils only itself: its own object tells what is wrong with it."""
    refused = [f"{entry.kind} {entry.name}" for entry in entries if entry.state == "Refused"]
    told = f"{len(entries) - len(refused)} of {len(entries)} objects are applied."
    more = ", …" if len(refused) > NAMED else ""
    return f"{told} Refused: {', '.join(refused[:NAMED])}{more}; their conditions say why." if refused else told
