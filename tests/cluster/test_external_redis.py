"""Pools whose Redis is somebody else's, under Sentinels and as a Redis Cluster, by TLS."""

import signal
from collections.abc import Iterator

import pytest

from tests.cluster import client_pod
from tests.cluster.external_redis import CLI, ClusterPods, RedisPods, SentinelPods
from tests.cluster.installed import Cluster
from tests.cluster.kubectl import Kubectl, until
from tests.cluster.processes import Processes
from tests.cluster.resources import pool, queue, secret

BETWEEN = 200
"""Messages that make the whole way before and after a primary ends."""
SETS: dict[str, type[RedisPods]] = {"sentinels": SentinelPods, "redis-cluster": ClusterPods}


def external(name: str) -> dict[str, object]:
    return {"mode": "External", "external": {"secretRef": {"name": name}}}


@pytest.fixture(scope="module")
def theirs(cluster: Cluster) -> Iterator[Kubectl]:
    with cluster.namespace() as made:
        yield made


@pytest.fixture(scope="module")
def redises(theirs: Kubectl, cluster: Cluster) -> dict[str, RedisPods]:
    """Both, and over each a pool and a queue of its name."""
    found = {name: kind(theirs, name, cluster.redis_image) for name, kind in SETS.items()}
    for name, redis in found.items():
        theirs.apply(*redis.manifests())
        theirs.apply(pool(name, replicas=2, durability="Replicated", storage=external(name)))
        theirs.apply(queue(name, brokerPool=name))
    for redis in found.values():
        redis.settle()
    return found


def test_a_pool_tells_what_its_secret_lacks_and_what_its_redis_does_not_hold(
    theirs: Kubectl, redises: dict[str, RedisPods]
) -> None:
    sentinels = redises["sentinels"]
    theirs.apply(pool("told", storage=external("told")))
    theirs.condition("brokerpool", "told", "False", "SecretNotFound")
    theirs.apply(secret("told", url=sentinels.url.removesuffix("/main")))
    look_again(theirs)
    told = theirs.condition("brokerpool", "told", "False", "InvalidURL")
    assert "the key url of the secret told" in told["message"].lower()
    assert "secret@" not in told["message"]
    assert theirs.get("statefulset", "told-broker-pool") is None
    given = theirs.there("secret", "sentinels")["data"]
    theirs.patch("secret", "told", {"data": given})
    look_again(theirs)
    theirs.ready("brokerpool", "told")
    told = theirs.condition("brokerpool", "told", "False", "NotDurable", of="StorageDurable")
    assert "appendfsync" in told["message"]
    for pod in sentinels.pods:
        sentinels.inside(pod, f"{CLI} config set appendfsync always")
    theirs.condition("brokerpool", "told", "True", of="StorageDurable")
    assert theirs.get("statefulset", "told-broker-pool-redis") is None


def look_again(kubectl: Kubectl) -> None:
    """The Secret is not watched, and read every half minute; the pool is watched."""
    kubectl("annotate", "brokerpool", "told", "look=again", "--overwrite")
    kubectl("annotate", "brokerpool", "told", "look-")


@pytest.mark.parametrize("name", SETS)
def test_a_primary_that_is_killed_takes_no_message_with_it(
    name: str, theirs: Kubectl, redises: dict[str, RedisPods], cluster: Cluster, processes: Processes
) -> None:
    redis, pod = redises[name], f"client-of-{name}"
    theirs.ready("brokerpool", name)
    theirs.condition("brokerpool", name, "True", of="StorageDurable")
    theirs.ready("queue", name)
    client_pod.start(theirs, cluster.client_image, f"{name}-queue", name=pod)
    with client_pod.Prober(theirs, name, "--rate", "40", pod=pod) as prober:
        prober.progress(BETWEEN)
        until(redis.can_fail_over, redis.primary)
        killed = redis.primary()
        processes.signal(theirs.there("pod", killed), "redis-server", signal.SIGKILL)
        until(lambda: redis.primary() not in ("", killed), redis.primary)
        prober.progress(BETWEEN)
        prober.finish()
    theirs.ready("queue", name)
