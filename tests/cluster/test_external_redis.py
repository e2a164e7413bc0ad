"""A pool whose Redis is somebody else's, and is found through a Sentinel."""

from tests.cluster import client_pod
from tests.cluster.installed import Cluster
from tests.cluster.kubectl import Kubectl, Manifest
from tests.cluster.resources import pool, queue, secret

REDIS = "exec redis-server --port 6379 --requirepass secret --save '' --dir /data --maxmemory-policy noeviction"
SENTINEL = """
echo "sentinel monitor main $POD_IP 6379 1" >/data/sentinel.conf
echo "sentinel auth-pass main secret" >>/data/sentinel.conf
exec redis-server /data/sentinel.conf --sentinel --port 26379 --protected-mode no
"""
DURABLE = "redis-cli config set appendonly yes appendfsync always"
URL = "redis+sentinel://:secret@their-redis:26379/main"


def their_redis(image: str) -> list[Manifest]:
    """A pod with a Redis and a Sentinel, and a Service."""
    containers = [container("redis", image, REDIS), container("sentinel", image, SENTINEL)]
    metadata = {"name": "their-redis", "labels": {"app": "their-redis"}}
    pod = {"containers": containers, "volumes": [{"name": "data", "emptyDir": {}}]}
    service = {"selector": {"app": "their-redis"}, "ports": [{"port": 26379}]}
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "their-redis"}, "spec": service},
    ]


def container(name: str, image: str, command: str) -> Manifest:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", command],
        "env": [
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "REDISCLI_AUTH", "value": "secret"},
        ],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }


def test_a_pool_finds_it_by_the_url_in_a_secret_and_tells_what_it_does_not_hold(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    external = {"mode": "External", "external": {"secretRef": {"name": "theirs"}}}
    kubectl.apply(*their_redis(cluster.redis_image))
    kubectl.apply(pool("default", replicas=2, storage=external), queue("orders"))
    kubectl.condition("brokerpool", "default", "False", "SecretNotFound")
    kubectl.apply(secret("theirs", url=URL.removesuffix("/main")))
    look_again(kubectl)
    told = kubectl.condition("brokerpool", "default", "False", "InvalidURL")
    assert "the key url of the secret theirs" in told["message"].lower()
    assert "secret@" not in told["message"]
    assert kubectl.get("statefulset", "default-broker-pool") is None
    kubectl.apply(secret("theirs", url=URL))
    look_again(kubectl)
    kubectl.ready("brokerpool", "default")
    told = kubectl.condition("brokerpool", "default", "False", "NotDurable", of="StorageDurable")
    assert "appendonly" in told["message"]
    kubectl.ready("queue", "orders")
    client_pod.start(kubectl, cluster.client_image, "orders-queue")
    client_pod.send(kubectl, "found")
    assert client_pod.receive(kubectl) == "found"
    kubectl("exec", "their-redis", "--container", "redis", "--", *DURABLE.split())
    kubectl.condition("brokerpool", "default", "True", of="StorageDurable")
    assert not [name for name in kubectl("get", "statefulsets,pvc", "--output", "name").split() if "redis" in name]


def look_again(kubectl: Kubectl) -> None:
    """The Secret is not watched, and read every half minute; the pool is watched."""
    kubectl("annotate", "brokerpool", "default", "look=again", "--overwrite")
    kubectl("annotate", "brokerpool", "default", "look-")
