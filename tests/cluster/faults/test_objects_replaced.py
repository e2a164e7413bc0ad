"""Objects that are made again under their name, and a broker that is away while they go."""

import pytest

from tests.cluster import client_pod
from tests.cluster.kubectl import TIMEOUT, Kubectl, until
from tests.cluster.resources import queue

NOWHERE = {"spec": {"template": {"spec": {"nodeSelector": {"quintet.dev/no-such-node": "here"}}}}}
ANYWHERE = {"spec": {"template": {"spec": {"nodeSelector": None}}}}


@pytest.mark.parametrize(("policy", "kept"), [("Retain", "first"), ("Delete", "second")])
def test_a_queue_that_is_replaced(policy: str, kept: str, orders: Kubectl) -> None:
    orders.apply(queue("orders", deletionPolicy=policy))
    orders.ready("queue", "orders")
    client_pod.send(orders, "first")
    uid = orders.there("queue", "orders")["metadata"]["uid"]
    orders("delete", "queue", "orders")
    orders.apply(queue("orders", deletionPolicy=policy))
    orders.ready("queue", "orders")
    assert orders.there("queue", "orders")["metadata"]["uid"] != uid
    client_pod.send(orders, "second")
    assert client_pod.receive(orders) == kept


def test_a_broker_that_is_down_while_its_queue_is_deleted(orders: Kubectl) -> None:
    client_pod.send(orders, "kept")
    orders.apply(queue("stays"))
    orders.ready("queue", "stays")
    orders.patch("brokerpool", "default", NOWHERE)

    def away() -> bool:
        broker = orders.get("pod", "default-broker-pool-0")
        return broker is not None and "nodeName" not in broker["spec"]

    until(away, lambda: orders.get("pod", "default-broker-pool-0"))
    orders("delete", "queue", "orders", TIMEOUT)
    orders.condition("queue", "stays", "False")
    orders.patch("brokerpool", "default", ANYWHERE)
    orders.ready("queue", "stays")
    with pytest.raises(AssertionError, match="QueueDoesNotExist"):
        client_pod.send(orders, "too late")
    # Retain: what it held is there for one of the same name.
    orders.apply(queue("orders"))
    orders.ready("queue", "orders")
    assert client_pod.receive(orders) == "kept"
