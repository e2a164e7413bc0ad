"""The StatefulSet of the embedded Redis."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders import pod
from quintet_operator.builders.addresses import REDIS_PORT
from quintet_operator.builders.claim import VOLUME, claim_template
from quintet_operator.builders.credentials import REDIS_CONFIG, REDIS_PASSWORD, Credentials, digest, secret_name
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.metadata import Manifest, child_name
from quintet_operator.builders.redis_options import options, words
from quintet_operator.builders.service_account import service_account_name

DATA_DIRECTORY = "/data"
GRACE = 120
"""Seconds to write and sync what is left of the log, before it is killed."""


def redis_stateful_set(
    pool: BrokerPool, credentials: Credentials, defaults: Defaults, existing: Manifest | None = None
) -> Manifest:
    """`existing`: the StatefulSet as it is, if it is there. Its claim templates stay: the API server refuses
    any change of them, and the claim itself is grown instead."""
    return pod.stateful_set(
        pool,
        "redis",
        component="redis",
        template=_template(pool, credentials, defaults),
        serviceName=child_name(pool.kind, pool.metadata.name, "redis"),
        replicas=1,
        volumeClaimTemplates=existing["spec"]["volumeClaimTemplates"] if existing else [claim_template(pool)],
        persistentVolumeClaimRetentionPolicy={"whenDeleted": pool.spec.deletion_policy, "whenScaled": "Retain"},
    )


def _template(pool: BrokerPool, credentials: Credentials, defaults: Defaults) -> Manifest:
    spec = {
        "serviceAccountName": service_account_name(pool),
        "terminationGracePeriodSeconds": GRACE,
        "containers": [_container(pool, defaults)],
        "volumes": [pod.credentials_volume(pool, [REDIS_CONFIG])],
    }
    return pod.template(
        pool,
        component="redis",
        digest=digest(credentials.redis_password),
        spec=spec | pod.pull_secrets(defaults.image_pull_secrets),
    )


def _container(pool: BrokerPool, defaults: Defaults) -> Manifest:
    return {
        "name": "redis",
        "image": defaults.redis_image,
        "imagePullPolicy": defaults.image_pull_policy,
        "command": command(pool),
        # For redis-cli, in the probe and for people.
        "env": [pod.from_secret("REDISCLI_AUTH", secret_name(pool), REDIS_PASSWORD)],
        "ports": [{"name": "redis", "containerPort": REDIS_PORT, "protocol": "TCP"}],
        "resources": pod.resources(pool.spec.storage.resources),
        "securityContext": pod.CONTAINER_SECURITY,
        "volumeMounts": [pod.CREDENTIALS_MOUNT, {"name": VOLUME, "mountPath": DATA_DIRECTORY}],
        "readinessProbe": _loaded(),
        "livenessProbe": _listens(),
    }


def command(pool: BrokerPool, config: str = f"{pod.CREDENTIALS_DIRECTORY}/{REDIS_CONFIG}") -> list[str]:
    """For any image with the program redis-server, Redis or Valkey, from version 7 on."""
    settings = {
        "dir": DATA_DIRECTORY,
        "port": str(REDIS_PORT),
        "bind": "* -::*",
        "tcp-keepalive": "60",
        "maxmemory": str(max_memory(pool)),
        "maxmemory-policy": "noeviction",
    }
    return ["redis-server", config, *words(settings | options(pool.spec.durability))]


def max_memory(pool: BrokerPool) -> int:
    """Bytes. The rest is for connections, and for what changes while the log is rewritten by a fork."""
    return pool.spec.storage.resources.limits.memory * 3 // 4


def _loaded() -> Manifest:
    """While it loads its log, Redis answers LOADING, and redis-cli does not fail."""
    shell = ["sh", "-c", "redis-cli ping | grep -q PONG"]
    return pod.probe({"exec": {"command": shell}}, period=2, failures=3)


def _listens() -> Manifest:
    """A Redis that loads a long log, or waits for a slow disk, must not be killed for it."""
    return pod.probe({"tcpSocket": {"port": "redis"}}, period=10, failures=6)
