"""What the operator made comes back as it was, whoever deleted or changed it."""

from collections.abc import Iterator

import pytest

from tests.cluster import client_pod
from tests.cluster.installed import Cluster
from tests.cluster.kubectl import Kubectl, Manifest, until
from tests.cluster.resources import pool

OF_POOL = [
    "service/default-broker-pool",
    "service/default-broker-pool-pods",
    "service/default-broker-pool-redis",
    "serviceaccount/default-broker-pool",
    "networkpolicy/default-broker-pool",
    "networkpolicy/default-broker-pool-redis",
    "poddisruptionbudget/default-broker-pool",
    "secret/default-broker-pool-credentials",
    "statefulset/default-broker-pool",
    "statefulset/default-broker-pool-redis",
]
OF_QUEUE = ["secret/orders-queue"]
KINDS = "services,serviceaccounts,networkpolicies,poddisruptionbudgets,secrets,statefulsets"


@pytest.fixture(scope="module")
def orders(cluster: Cluster) -> Iterator[Kubectl]:
    """A namespace of these tests' own, whose queue holds a message; the last of them takes all of it away."""
    with cluster.namespace() as made:
        client_pod.furnish(made, cluster.client_image)
        client_pod.send(made, "kept")
        yield made


def content(child: Manifest) -> Manifest:
    """Without what the API server and controllers write."""
    return {
        "metadata": {key: child["metadata"].get(key) for key in ("labels", "annotations", "ownerReferences")},
        **{key: child[key] for key in ("data", "type") if key in child},
    }


def test_these_are_all_of_them(orders: Kubectl) -> None:
    found = orders.list(KINDS, "--selector", "app.kubernetes.io/managed-by=quintet")
    assert sorted(f"{one['kind'].lower()}/{one['metadata']['name']}" for one in found) == sorted(OF_POOL + OF_QUEUE)


def test_each_one_that_is_deleted_comes_back(orders: Kubectl) -> None:
    for child in OF_POOL + OF_QUEUE:
        kind, _, name = child.partition("/")
        delete_and_see_it_again(orders, kind, name)
    for kind, name in ("brokerpool", "default"), ("queue", "orders"):
        orders.ready(kind, name)
    assert client_pod.receive(orders) == "kept"


def delete_and_see_it_again(kubectl: Kubectl, kind: str, name: str) -> None:
    before = kubectl.there(kind, name)
    kubectl.delete(kind, name)

    def back() -> bool:
        found = kubectl.get(kind, name)
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    until(back, lambda: f"{kind}/{name} does not come back")
    assert content(kubectl.there(kind, name)) == content(before), name


CHANGES: list[tuple[str, Manifest]] = [
    ("statefulset/default-broker-pool", {"spec": {"replicas": 0}}),
    ("service/default-broker-pool", {"spec": {"selector": {"app.kubernetes.io/component": "nothing"}}}),
    ("secret/orders-queue", {"data": {"AWS_SECRET_ACCESS_KEY": "d3Jvbmc="}}),
    ("poddisruptionbudget/default-broker-pool", {"spec": {"maxUnavailable": 0}}),
]


def test_what_somebody_changes_is_put_right(orders: Kubectl) -> None:
    for child, change in CHANGES:
        kind, _, name = child.partition("/")
        change_and_see_it_put_right(orders, kind, name, change)
    orders.ready("brokerpool", "default")
    assert client_pod.receive(orders) == "kept"


def change_and_see_it_put_right(kubectl: Kubectl, kind: str, name: str, change: Manifest) -> None:
    [part] = change
    before = kubectl.there(kind, name)[part]
    kubectl.patch(kind, name, change)
    until(lambda: kubectl.there(kind, name)[part] == before, lambda: kubectl.there(kind, name))


def test_what_retain_keeps_is_found_again(orders: Kubectl) -> None:
    before = orders.there("secret", "orders-queue")["data"]
    orders("delete", "brokerpool", "default", "--wait=true")
    orders.gone("statefulset", "default-broker-pool-redis")
    orders.condition("queue", "orders", "False", "BrokerPoolNotFound")
    orders.apply(pool("default"))
    orders.ready("queue", "orders")
    assert orders.there("secret", "orders-queue")["data"] == before
    assert client_pod.receive(orders) == "kept"


def test_a_volume_grows(orders: Kubectl) -> None:
    """As far as the StorageClass can; the request is there in any case."""
    orders.patch("brokerpool", "default", {"spec": {"storage": {"persistence": {"size": "9Gi"}}}})
    orders.ready("brokerpool", "default")
    assert client_pod.receive(orders) == "kept"


def test_delete_leaves_nothing(orders: Kubectl) -> None:
    orders.patch("brokerpool", "default", {"spec": {"deletionPolicy": "Delete"}})

    def owned() -> bool:
        return "ownerReferences" in orders.there("secret", "default-broker-pool-credentials")["metadata"]

    until(owned, lambda: orders.there("secret", "default-broker-pool-credentials"))
    orders("delete", "queue", "orders")
    orders("delete", "brokerpool", "default")
    until(lambda: not ours(orders), lambda: ours(orders))


def ours(kubectl: Kubectl) -> list[str]:
    found = kubectl.list(f"{KINDS},pvc,pods", "--selector", "app.kubernetes.io/managed-by=quintet")
    return [f"{one['kind']}/{one['metadata']['name']}" for one in found]
