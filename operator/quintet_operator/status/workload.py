"""How far the pods of a StatefulSet are, and what keeps them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from quintet_operator.builders.metadata import Manifest

State = Literal["Missing", "NotReady", "Updating", "Ready"]

PASSING = ("ContainerCreating", "PodInitializing")
"""What a container waits for that comes by itself."""


def state(workload: Manifest | None) -> State:
    """Updating: all pods serve, but some are about to be replaced."""
    if workload is None:
        return "Missing"
    status, wanted = workload.get("status") or {}, workload["spec"].get("replicas", 1)
    if status.get("readyReplicas", 0) < wanted:
        return "NotReady"
    seen = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    return "Ready" if seen and status.get("updatedReplicas", 0) >= wanted else "Updating"


def ready_pods(workload: Manifest | None, pods: Iterable[Manifest]) -> set[str]:
    """Names of the pods that serve; `pods` are looked at where not all do."""
    if workload and state(workload) == "Ready":
        name, wanted = workload["metadata"]["name"], workload["spec"].get("replicas", 1)
        return {f"{name}-{number}" for number in range(wanted)}
    return {pod["metadata"]["name"] for pod in pods if _is_ready(pod)}


def _is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def progress(workload: Manifest | None, pods: Sequence[Manifest]) -> str:
    """`0 of 1 pods of StatefulSet x are ready. …`, with the first thing that keeps a pod."""
    if workload is None:
        return "Its StatefulSet is not there yet."
    name, status, wanted = (
        workload["metadata"]["name"],
        workload.get("status") or {},
        workload["spec"].get("replicas", 1),
    )
    told = f"{status.get('readyReplicas', 0)} of {wanted} pods of StatefulSet {name} are ready."
    if not status.get("replicas"):
        return f"{told} None exists yet; kubectl describe statefulset {name} tells why."
    return " ".join(filter(None, (told, trouble(pods))))


def trouble(pods: Iterable[Manifest]) -> str:
    """What the kubelet or the scheduler says of the first pod that is kept; empty where none is."""
    return next((found for pod in pods for found in _troubles(pod)), "")


def _troubles(pod: Manifest) -> Iterator[str]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield _told(name, condition)
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", PASSING[0]) not in PASSING:
            yield _told(name, waiting) + _last_end(container)


def _told(pod: str, what: Manifest) -> str:
    """`Pod x: ImagePullBackOff: …`"""
    words = (f"Pod {pod}", what.get("reason", ""), what.get("message", "").strip().rstrip("."))
    return ": ".join(filter(None, words)) + "."


def _last_end(container: Manifest) -> str:
    """How the container ended before: `It ended last with OOMKilled (137).`"""
    ended = (container.get("lastState") or {}).get("terminated")
    return f" It ended last with {ended.get('reason', 'Error')} ({ended['exitCode']})." if ended else ""
