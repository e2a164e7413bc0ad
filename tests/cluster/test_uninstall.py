"""helm uninstall takes the operator away and nothing else; installing again finds what was there."""

from tests.cluster import client_pod
from tests.cluster.installed import LEASE, OPERATOR, Cluster
from tests.cluster.kubectl import Kubectl, until
from tests.cluster.resources import pool, queue


def test_uninstall_keeps_data_and_definitions_and_a_new_install_finds_them(
    cluster: Cluster, kubectl: Kubectl, system: Kubectl
) -> None:
    kubectl.apply(pool("default"), queue("orders"))
    kubectl.ready("queue", "orders")
    client_pod.start(kubectl, cluster.client_image, "orders-queue")
    client_pod.send(kubectl, "kept")
    broker = kubectl.there("pod", "default-broker-pool-0")["metadata"]["uid"]
    cluster.uninstall()
    until(lambda: system.get("deployment", OPERATOR) is None, lambda: "the operator is still there")
    assert kubectl.there("customresourcedefinition", "queues.quintet.dev")
    assert kubectl.there("queue", "orders")
    assert client_pod.receive(kubectl) == "kept"
    kubectl.apply(queue("later"))
    cluster.install()
    kubectl.ready("queue", "later")
    kubectl.ready("queue", "orders")
    assert kubectl.there("pod", "default-broker-pool-0")["metadata"]["uid"] == broker
    assert client_pod.receive(kubectl) == "kept"


def test_the_lease_lost_between_two_installs_does_not_lock_the_operator_out(
    cluster: Cluster, kubectl: Kubectl, system: Kubectl
) -> None:
    """The brokers know a later revision than a Lease that begins anew gives."""
    kubectl.apply(pool("default"), queue("orders"))
    kubectl.ready("queue", "orders")
    cluster.uninstall()
    system("delete", "lease", LEASE)
    cluster.install()
    kubectl.apply(queue("later"))
    kubectl.ready("queue", "later")
