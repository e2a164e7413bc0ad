"""What a user got wrong, or what is missing, is told by the object's Ready; and it is well once that is mended."""

import base64

from tests.cluster.kubectl import TIMEOUT, Kubectl, Manifest, until
from tests.cluster.resources import pool, queue, secret


def test_a_pool_that_is_not_there(kubectl: Kubectl) -> None:
    kubectl.apply(queue("orders", brokerPool="fast"))
    told = kubectl.condition("queue", "orders", "False", "BrokerPoolNotFound")
    assert "fast" in told["message"]
    kubectl.apply(pool("fast"))
    kubectl.ready("queue", "orders")
    assert kubectl.get("brokerpool", "default") is None


def test_a_name_already_taken_by_somebodys_own_secret(shared: Kubectl) -> None:
    shared.apply(secret("taken-queue", mine="hands off"))
    before = shared.there("secret", "taken-queue")
    shared.apply(queue("taken"))
    told = shared.condition("queue", "taken", "False", "NameTaken")
    assert "taken-queue" in told["message"]
    shared("delete", "queue", "taken")
    assert shared.there("secret", "taken-queue") == before
    shared.apply(queue("taken"))
    shared.condition("queue", "taken", "False", "NameTaken")
    shared.delete("secret", "taken-queue")
    shared.ready("queue", "taken")
    assert "mine" not in shared.there("secret", "taken-queue")["data"]


def test_a_name_already_taken_by_somebodys_own_service(kubectl: Kubectl) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "default-broker-pool"},
        "spec": {"ports": [{"port": 80}]},
    }
    kubectl.apply(service)
    before = kubectl.there("service", "default-broker-pool")
    kubectl.apply(queue("orders"))
    told = kubectl.condition("brokerpool", "default", "False", "NameTaken")
    assert "default-broker-pool" in told["message"]
    kubectl.condition("queue", "orders", "False")
    assert kubectl.there("service", "default-broker-pool") == before
    kubectl.delete("service", "default-broker-pool")
    kubectl.ready("queue", "orders")


def test_what_the_broker_refuses_spoils_only_itself(orders: Kubectl) -> None:
    orders.apply(queue("good"), queue("orders", deadLetter={"queue": "later"}))
    orders.ready("queue", "good")
    told = orders.condition("queue", "orders", "False", "DeadLetterQueueNotFound")
    assert "later" in told["message"]
    orders.apply(queue("later"))
    orders.ready("queue", "orders")


def test_an_object_can_be_taken_out_of_the_operators_hands(orders: Kubectl) -> None:
    orders.apply(queue("other"))
    orders.ready("queue", "other")
    orders("annotate", "queue", "orders", "quintet.dev/reconcile=disabled")
    orders.condition("queue", "orders", "Unknown", "ReconcileDisabled")
    orders.delete("secret", "orders-queue")
    orders.delete("secret", "other-queue")
    # The other one's is repaired, so this one's would have been by now.
    orders("wait", "secret/other-queue", "--for=create", TIMEOUT)
    orders.ready("queue", "other")
    assert orders.get("secret", "orders-queue") is None
    orders("annotate", "queue", "orders", "quintet.dev/reconcile-")
    orders.ready("queue", "orders")
    assert orders.get("secret", "orders-queue")


def test_a_default_pool_that_was_deleted_stays_deleted(kubectl: Kubectl) -> None:
    """It is made for an object that never had one; else a pool could not be deleted."""
    kubectl.apply(queue("orders"))
    kubectl.ready("queue", "orders")
    uid = kubectl.there("brokerpool", "default")["metadata"]["uid"]
    kubectl("delete", "brokerpool", "default")
    kubectl.condition("queue", "orders", "False", "BrokerPoolNotFound")
    # One that never had a pool shows that the time has passed after which the first would have got one, too.
    elsewhere = kubectl.within(f"{kubectl.namespace}-b")
    kubectl("create", "namespace", elsewhere.namespace)
    elsewhere.apply(queue("orders"))
    made(elsewhere)
    elsewhere("delete", "namespace", elsewhere.namespace, "--wait=false")
    assert kubectl.get("brokerpool", "default") is None
    kubectl.apply(queue("new"))
    assert made(kubectl)["metadata"]["uid"] != uid


def made(kubectl: Kubectl) -> Manifest:
    """The default pool, once it is there."""
    until(lambda: kubectl.get("brokerpool", "default"), lambda: kubectl.list("queues"))
    return kubectl.there("brokerpool", "default")


def test_a_binding_has_what_its_readers_ask_for(orders: Kubectl) -> None:
    """Service Binding for Kubernetes, and the environment of AWS's SDKs."""
    found = orders.there("secret", "orders-queue")
    held = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
    host = f"default-broker-pool.{orders.namespace}.svc"
    assert found["type"] == "servicebinding.io/quintet"
    assert (
        held
        | {
            "type": "sqs",
            "provider": "quintet",
            "host": host,
            "port": "9400",
            "uri": f"http://{host}:9400",
            "queue-url": f"http://{host}:9400/000000000000/orders",
            "access-key-id": f"Q.{orders.namespace}.orders.1",
            "AWS_ACCESS_KEY_ID": held["access-key-id"],
            "AWS_SECRET_ACCESS_KEY": held["secret-access-key"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_SQS": held["uri"],
        }
        == held
    )
