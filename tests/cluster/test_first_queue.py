"""From a manifest to a message, as a newcomer goes."""

from pathlib import Path

import pytest

from tests.cluster import client_pod
from tests.cluster.installed import Cluster
from tests.cluster.kubectl import TIMEOUT, Kubectl, until
from tests.cluster.resources import queue
from tests.processes import ROOT

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/check.py"))
BINDINGS = {"orders": "orders-queue", "many-brokers": "parcels-queue", "worker": "tasks-queue"}
"""By example: the Secret that its pod takes."""


@pytest.fixture(scope="module", autouse=True)
def counted(shared: Kubectl) -> None:
    """Two messages in the queue `orders`. It is told within half a minute, in which other things are tested."""
    client_pod.renew(shared)
    for body in "one", "two":
        client_pod.send(shared, body)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_does_what_it_says_in_a_pod_with_boto3(example: Path, cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl("label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=restricted")
    kubectl("apply", "-f", str(example))
    for name in (found["metadata"]["name"] for found in kubectl.list("queues")):
        kubectl.ready("queue", name)
    kubectl.ready("brokerpool", "default")
    client_pod.start(kubectl, cluster.client_image, BINDINGS[example.name])
    kubectl("exec", "client", "--", "python", f"examples/{example.name}/check.py")


def test_kubectl_tells_how_things_are(kubectl: Kubectl) -> None:
    kubectl.apply(queue("orders"))
    kubectl("wait", "queue/orders", "--for=condition=Ready", TIMEOUT)
    [head, line] = kubectl("get", "qtq").splitlines()
    assert head.split()[:4] == ["NAME", "READY", "REASON", "ORDERING"]
    assert line.split()[:5] == ["orders", "True", "Available", "Standard", "default"]
    status = kubectl.there("queue", "orders")["status"]
    assert status["binding"] == {"name": "orders-queue"}
    assert status["url"] == f"http://default-broker-pool.{kubectl.namespace}.svc:9400/000000000000/orders"
    pool = kubectl.there("brokerpool", "default")
    assert "ownerReferences" not in pool["metadata"]
    assert pool["metadata"].get("labels", {}) == {}

    def counts() -> list[int]:
        status = kubectl.there("brokerpool", "default")["status"]
        return [status[name] for name in ("replicas", "readyReplicas", "objects")]

    until(lambda: counts() == [1, 1, 1], counts)
    [pod] = kubectl.list("pods", "--selector", pool["status"]["selector"])
    assert pod["metadata"]["name"] == "default-broker-pool-0"
    assert kubectl("get", "quintet", "--output", "name").split() == [
        "brokerpool.quintet.dev/default",
        "queue.quintet.dev/orders",
    ]
    assert "finalizers" not in kubectl.there("queue", "orders")["metadata"]


def test_counts_are_told(shared: Kubectl) -> None:
    def counts() -> object:
        return shared.there("queue", "orders")["status"].get("messages")

    until(lambda: counts() == {"visible": 2, "inFlight": 0, "delayed": 0}, counts)
