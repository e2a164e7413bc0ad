"""helm uninstall takes the operator away and nothing else; installing again finds what was there."""

from tests.cluster import client_pod
from tests.cluster.installed import LEASE, OPERATOR, Cluster
from tests.cluster.kubectl import Kubectl, until
from tests.cluster.resources import queue


def test_uninstall_keeps_data_and_definitions_and_a_new_install_finds_them(
    cluster: Cluster, orders: Kubectl, system: Kubectl
) -> None:
    client_pod.send(orders, "kept")
    broker = orders.there("pod", "default-broker-pool-0")["metadata"]["uid"]
    cluster.uninstall()
    until(lambda: system.get("deployment", OPERATOR) is None, lambda: "the operator is still there")
    assert orders.there("customresourcedefinition", "queues.quintet.dev")
    assert orders.there("queue", "orders")
    assert client_pod.receive(orders) == "kept"
    orders.apply(queue("later"))
    cluster.install()
    orders.ready("queue", "later")
    orders.ready("queue", "orders")
    assert orders.there("pod", "default-broker-pool-0")["metadata"]["uid"] == broker
    assert client_pod.receive(orders) == "kept"


def test_the_lease_lost_between_two_installs_does_not_lock_the_operator_out(
    cluster: Cluster, orders: Kubectl, system: Kubectl
) -> None:
    """The brokers know a later revision than a Lease that begins anew gives."""
    cluster.uninstall()
    system("delete", "lease", LEASE)
    cluster.install()
    orders.apply(queue("later"))
    orders.ready("queue", "later")
