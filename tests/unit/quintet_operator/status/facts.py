"""Facts of a pool and a queue with which all is well, and what is said of them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from quintet_api.common import Condition
from quintet_api.topology import EntryStatus, PodStatus, TopologyStatus
from quintet_operator.builders.metadata import Manifest
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import PoolFacts, QueueFacts
from quintet_operator.status.ready import F, summed

Told = dict[str, tuple[str, str, str]]
"""Status, reason and message, by the condition's type."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def workload(name: str, ready: int = 1, updated: int = 1, replicas: int = 1) -> Manifest:
    status = {"observedGeneration": 1, "replicas": replicas, "readyReplicas": ready, "updatedReplicas": updated}
    return {"metadata": {"name": name, "generation": 1}, "spec": {"replicas": replicas}, "status": status}


def pods(name: str, *ready: bool) -> list[Manifest]:
    """By number, whether each is ready."""
    return [
        {
            "metadata": {"name": f"{name}-{number}"},
            "status": {"conditions": [{"type": "Ready", "status": str(is_ready)}]},
        }
        for number, is_ready in enumerate(ready)
    ]


def entry(name: str = "orders", reason: str = "", message: str = "") -> EntryStatus:
    return EntryStatus(
        kind="Queue", name=name, uid="u", state="Refused" if reason else "Applied", reason=reason, message=message
    )


def topology(revision: tuple[int, int] = (1, 1), *entries: EntryStatus, brokers: int = 1) -> TopologyStatus:
    """As so many brokers tell it."""
    pods = [PodStatus(name=f"brokers-{number}", revision=revision) for number in range(brokers)]
    return TopologyStatus(revision=revision, pods=pods, entries=list(entries))


def ready(status: str, reason: str = "Available", message: str = "", type: str = "Ready") -> Condition:  # noqa: A002
    found = {"type": type, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}
    return Condition.model_validate(found)


POOL = PoolFacts(
    storage=workload("redis"), brokers=workload("brokers"), topology=topology((1, 1), entry()), revision=(1, 1)
)
QUEUE = QueueFacts("default", pool_found=True, pool_conditions=(ready("True"),), entry=entry(), bound=True)


def tell(parts: Mapping[str, Callable[[F], Verdict]], facts: F) -> Told:
    """What is said of an object that nothing was said of before."""
    made = summed(parts, facts, (), 7, NOW)
    assert all(condition.observed_generation == 7 for condition in made)
    return {condition.type: (condition.status, condition.reason, condition.message) for condition in made}


def assert_ready_tells(found: Told, part: str, status: str, reason: str, words: str) -> None:
    """The part that is not, and so the sum of all."""
    assert found[part][:2] == (status, reason)
    assert words in found[part][2]
    assert found["Ready"] == found[part]
