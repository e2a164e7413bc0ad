"""Facts of a pool and a queue with which all is well."""

from datetime import UTC, datetime

from quintet_api.common import Condition
from quintet_api.topology import EntryStatus, PodStatus, TopologyStatus
from quintet_operator.builders.metadata import Manifest
from quintet_operator.status.facts import PoolFacts, QueueFacts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def workload(name: str, ready: int = 1, updated: int = 1) -> Manifest:
    status = {"observedGeneration": 1, "replicas": 1, "readyReplicas": ready, "updatedReplicas": updated}
    return {"metadata": {"name": name, "generation": 1}, "spec": {"replicas": 1}, "status": status}


def entry(name: str = "orders", reason: str = "", message: str = "") -> EntryStatus:
    return EntryStatus(
        kind="Queue", name=name, uid="u", state="Refused" if reason else "Applied", reason=reason, message=message
    )


def topology(revision: tuple[int, int] = (1, 1), *entries: EntryStatus) -> TopologyStatus:
    return TopologyStatus(revision=revision, pods=[PodStatus(name="b-0", revision=revision)], entries=list(entries))


def ready(status: str, reason: str = "Available", message: str = "") -> Condition:
    found = {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}
    return Condition.model_validate(found)


POOL = PoolFacts(
    storage=workload("redis"), brokers=workload("brokers"), topology=topology((1, 1), entry()), revision=(1, 1)
)
QUEUE = QueueFacts("default", pool_found=True, pool_conditions=(ready("True"),), entry=entry(), bound=True)
