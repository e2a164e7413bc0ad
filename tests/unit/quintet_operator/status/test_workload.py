from typing import Any

import pytest

from quintet_operator.builders.metadata import Manifest
from quintet_operator.status.workload import progress, state, trouble


def workload(generation: int = 1, replicas: int = 1, **status: int) -> Manifest:
    return {
        "metadata": {"name": "x", "generation": generation},
        "spec": {"replicas": replicas},
        "status": status,
    }


def pod(waiting: dict[str, Any] | None = None, last: dict[str, Any] | None = None, **condition: str) -> Manifest:
    container: Manifest = {"state": {"waiting": waiting} if waiting else {"running": {}}, "lastState": last or {}}
    return {
        "metadata": {"name": "x-0"},
        "status": {"conditions": [condition] if condition else [], "containerStatuses": [container]},
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, "Missing"),
        ({"metadata": {"name": "x", "generation": 1}, "spec": {}}, "NotReady"),
        (workload(), "NotReady"),
        (workload(observedGeneration=1, readyReplicas=1, updatedReplicas=1), "Ready"),
        (workload(observedGeneration=1, readyReplicas=1, updatedReplicas=0), "Updating"),
        (workload(2, observedGeneration=1, readyReplicas=1, updatedReplicas=1), "Updating"),
        (workload(2, observedGeneration=2, updatedReplicas=1), "NotReady"),
        (workload(replicas=2, observedGeneration=1, readyReplicas=1, updatedReplicas=2), "NotReady"),
    ],
)
def test_it_is_ready_when_all_pods_of_the_last_template_are(found: Manifest | None, expected: str) -> None:
    assert state(found) == expected


def test_progress_says_how_many_pods_are_ready_and_what_keeps_one() -> None:
    assert progress(None, []) == "Its StatefulSet is not there yet."
    counted = "0 of 1 pods of StatefulSet x are ready."
    assert progress(workload(), []) == f"{counted} None exists yet; kubectl describe statefulset x tells why."
    pulls = pod(waiting={"reason": "ErrImagePull", "message": "not found"})
    exists = workload() | {"status": {"replicas": 1}}
    assert progress(exists, []) == counted
    assert progress(exists, [pulls]) == f"{counted} Pod x-0: ErrImagePull: not found."


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pod(), ""),
        ({"metadata": {"name": "x-0"}}, ""),
        (pod(waiting={"reason": "ContainerCreating"}), ""),
        (pod(waiting={"reason": "ImagePullBackOff", "message": "no image."}), "Pod x-0: ImagePullBackOff: no image."),
        (
            pod(
                waiting={"reason": "CrashLoopBackOff", "message": "back-off"},
                last={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            ),
            "Pod x-0: CrashLoopBackOff: back-off. It ended last with OOMKilled (137).",
        ),
        (
            pod(type="PodScheduled", status="False", reason="Unschedulable", message="0/1 nodes are available"),
            "Pod x-0: Unschedulable: 0/1 nodes are available.",
        ),
        (pod(type="PodScheduled", status="True"), ""),
    ],
)
def test_trouble_is_what_the_kubelet_or_the_scheduler_says(found: Manifest, expected: str) -> None:
    assert trouble([pod(), found]) == expected
