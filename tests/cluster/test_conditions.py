"""What a user got wrong, or what is missing, is told by the object's Ready; and it is well once that is mended."""

import base64

from tests.cluster.kubectl import Kubectl, Manifest
from tests.cluster.resources import pool, queue


def secret(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def test_a_pool_that_is_not_there(kubectl: Kubectl) -> None:
    kubectl.apply(queue("orders", brokerPool="fast"))
    told = kubectl.condition("queue", "orders", "False", "BrokerPoolNotFound")
    assert "fast" in told["message"]
    kubectl.apply(pool("fast"))
    kubectl.ready("queue", "orders")
    assert kubectl.get("brokerpool", "default") is None


def test_a_name_already_taken_by_somebodys_own_secret(kubectl: Kubectl) -> None:
    kubectl.apply(pool("default"), secret("orders-queue", mine="hands off"))
    before = kubectl.there("secret", "orders-queue")
    kubectl.apply(queue("orders"))
    told = kubectl.condition("queue", "orders", "False", "NameTaken")
    assert "orders-queue" in told["message"]
    kubectl.delete("queue", "orders")
    kubectl.gone("queue", "orders")
    assert kubectl.there("secret", "orders-queue") == before
    kubectl.apply(queue("orders"))
    kubectl.condition("queue", "orders", "False", "NameTaken")
    kubectl.delete("secret", "orders-queue")
    kubectl.ready("queue", "orders")
    assert "mine" not in kubectl.there("secret", "orders-queue")["data"]


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


def test_what_the_broker_refuses_spoils_only_itself(kubectl: Kubectl) -> None:
    kubectl.apply(
        pool("default"),
        queue("good"),
        queue("strict", ordering="Fifo"),
        queue("orders", deadLetter={"queue": "later"}),
    )
    kubectl.ready("queue", "good")
    kubectl.condition("queue", "strict", "False", "Unsupported")
    told = kubectl.condition("queue", "orders", "False", "DeadLetterQueueNotFound")
    assert "later" in told["message"]
    kubectl.apply(queue("later"))
    kubectl.ready("queue", "orders")


def test_an_object_can_be_taken_out_of_the_operators_hands(kubectl: Kubectl) -> None:
    kubectl.apply(pool("default"), queue("orders"), queue("other"))
    kubectl.ready("queue", "orders")
    kubectl("annotate", "queue", "orders", "quintet.dev/reconcile=disabled")
    kubectl.condition("queue", "orders", "Unknown", "ReconcileDisabled")
    kubectl.delete("secret", "orders-queue")
    kubectl.delete("secret", "other-queue")
    # The other one's is repaired, so this one's would have been by now.
    kubectl.ready("queue", "other")
    kubectl("wait", "secret/other-queue", "--for=create", "--timeout=30s")
    assert kubectl.get("secret", "orders-queue") is None
    kubectl("annotate", "queue", "orders", "quintet.dev/reconcile-")
    kubectl.ready("queue", "orders")
    assert kubectl.get("secret", "orders-queue")


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
    elsewhere.ready("queue", "orders")
    elsewhere("delete", "namespace", elsewhere.namespace, "--wait=false")
    assert kubectl.get("brokerpool", "default") is None
    kubectl.apply(queue("new"))
    kubectl.ready("queue", "new")
    assert kubectl.there("brokerpool", "default")["metadata"]["uid"] != uid


def test_a_binding_has_what_its_readers_ask_for(kubectl: Kubectl) -> None:
    """Service Binding for Kubernetes, and the environment of AWS's SDKs."""
    kubectl.apply(pool("default"), queue("orders"))
    kubectl.ready("queue", "orders")
    found = kubectl.there("secret", "orders-queue")
    held = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
    host = f"default-broker-pool.{kubectl.namespace}.svc"
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
            "access-key-id": f"Q.{kubectl.namespace}.orders.1",
            "AWS_ACCESS_KEY_ID": held["access-key-id"],
            "AWS_SECRET_ACCESS_KEY": held["secret-access-key"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_SQS": held["uri"],
        }
        == held
    )
