"""The StatefulSet of the brokers."""

from quintet_api.broker_pool import BrokerPool, TemplateMetadata, TemplateSpec
from quintet_api.environment import variable
from quintet_operator.builders import pod
from quintet_operator.builders.addresses import ADMIN_PORT, HTTP_PORT, PEER_PORT, REDIS_PORT, host, pod_host
from quintet_operator.builders.credentials import (
    ADMIN_TOKEN,
    MASTER_KEY,
    REDIS_PASSWORD,
    Credentials,
    digest,
    secret_name,
    whole_digest,
)
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.external_redis import TLS_KEYS, URL, ExternalRedis
from quintet_operator.builders.metadata import Manifest, child_name, selector
from quintet_operator.builders.service_account import service_account_name

REDIS_TLS = "redis-tls"
REDIS_TLS_DIRECTORY = "/etc/quintet-redis-tls"
GRACE = 30
"""Seconds; a broker hands its shards over and drains within a few."""


def broker_stateful_set(
    pool: BrokerPool, credentials: Credentials, defaults: Defaults, external: ExternalRedis | None = None
) -> Manifest:
    """`external`: what the Secret of an external Redis says, so that brokers follow when it changes."""
    return pod.stateful_set(
        pool,
        component="broker",
        template=_template(pool, credentials, defaults, external),
        serviceName=child_name(pool.kind, pool.metadata.name, "pods"),
        replicas=pool.spec.replicas,
    )


def _template(
    pool: BrokerPool, credentials: Credentials, defaults: Defaults, external: ExternalRedis | None
) -> Manifest:
    """The user's fields lie beneath ours: what the operator relies on cannot be replaced."""
    wanted = pool.spec.template
    own = pod.template(
        pool,
        component="broker",
        digest=digest(whole_digest(credentials), *(external.values if external else ())),
        spec=_spec(pool, defaults, (wanted and wanted.spec) or TemplateSpec()),
    )
    given = (wanted and wanted.metadata) or TemplateMetadata()
    own["metadata"]["labels"] = (given.labels or {}) | own["metadata"]["labels"]
    own["metadata"]["annotations"] = (given.annotations or {}) | own["metadata"]["annotations"]
    return own


def _spec(pool: BrokerPool, defaults: Defaults, given: TemplateSpec) -> Manifest:
    wanted = given.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"image_pull_secrets"})
    placement = {"topologySpreadConstraints": [_over_nodes(pool)]} | wanted
    secrets = [secret.name for secret in given.image_pull_secrets or ()]
    return placement | {
        "serviceAccountName": service_account_name(pool),
        "terminationGracePeriodSeconds": GRACE,
        "containers": [_container(pool, defaults)],
        "volumes": [pod.credentials_volume(pool, [MASTER_KEY, ADMIN_TOKEN]), *_tls_volume(pool)],
        **pod.pull_secrets([*defaults.image_pull_secrets, *secrets]),
    }


def _over_nodes(pool: BrokerPool) -> Manifest:
    """As far as there are any: one that is lost takes few brokers."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(pool, "broker")},
    }


def _container(pool: BrokerPool, defaults: Defaults) -> Manifest:
    return {
        "name": "broker",
        "image": pool.spec.image or defaults.broker_image,
        "imagePullPolicy": defaults.image_pull_policy,
        "args": ["quintet_broker"],
        "env": environment(pool),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
            {"name": "peers", "containerPort": PEER_PORT, "protocol": "TCP"},
        ],
        "resources": pod.resources(pool.spec.resources),
        "securityContext": pod.CONTAINER_SECURITY,
        "volumeMounts": [pod.CREDENTIALS_MOUNT, *_tls_mount(pool)],
        "startupProbe": pod.http_probe("/healthz", period=1, failures=60),
        "readinessProbe": pod.http_probe("/readyz", period=2, failures=2, within=2),
        "livenessProbe": pod.http_probe("/healthz", period=10, failures=6),
    }


def environment(pool: BrokerPool) -> list[Manifest]:
    """The broker's settings."""
    settings = {
        "prefix": prefix(pool),
        "namespace": pool.metadata.namespace,
        "pool": pool.metadata.name,
        # All addresses, of IPv4 and IPv6.
        "host": "",
        "http_port": str(HTTP_PORT),
        "admin_port": str(ADMIN_PORT),
        "peer_port": str(PEER_PORT),
        # No name: a resolver may keep the address of the pod that had it before.
        "peer_address": f"$(POD_IP):{PEER_PORT}",
        "http_address": f"http://{pod_host(pool, '$(QUINTET_POD_NAME)')}:{HTTP_PORT}",
        "durability": pool.spec.durability,
        "account_id": pool.spec.account,
        "auth": "true",
        "master_key_file": f"{pod.CREDENTIALS_DIRECTORY}/{MASTER_KEY}",
        "admin_token_file": f"{pod.CREDENTIALS_DIRECTORY}/{ADMIN_TOKEN}",
    }
    own = [_of_pod("QUINTET_POD_NAME", "metadata.name"), _of_pod("POD_IP", "status.podIP")]
    plain = [{"name": variable(name), "value": value} for name, value in settings.items()]
    return [*_redis(pool), *own, *plain]


def _of_pod(name: str, path: str) -> Manifest:
    """A variable with what Kubernetes knows of the pod. Others that have it in `$(…)` stand behind it."""
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _redis(pool: BrokerPool) -> list[Manifest]:
    """Where Redis is. Kubernetes puts the password, which stands first, into the URL."""
    if external := pool.spec.storage.external:
        return [
            pod.from_secret("QUINTET_REDIS_URL", external.secret_ref.name, URL),
            {"name": variable("redis_tls_directory"), "value": REDIS_TLS_DIRECTORY},
        ]
    url = f"redis://:$(REDIS_PASSWORD)@{host(pool, 'redis')}:{REDIS_PORT}/0"
    return [
        pod.from_secret("REDIS_PASSWORD", secret_name(pool), REDIS_PASSWORD),
        {"name": "QUINTET_REDIS_URL", "value": url},
    ]


def _tls_volume(pool: BrokerPool) -> list[Manifest]:
    """What the Secret of an external Redis has for TLS, as far as it has any."""
    external = pool.spec.storage.external
    return [pod.secret_volume(REDIS_TLS, external.secret_ref.name, TLS_KEYS, optional=True)] if external else []


def _tls_mount(pool: BrokerPool) -> list[Manifest]:
    mount = {"name": REDIS_TLS, "mountPath": REDIS_TLS_DIRECTORY, "readOnly": True}
    return [mount] if pool.spec.storage.external else []


def prefix(pool: BrokerPool) -> str:
    """A pool that is made again under its name finds what its retained volume holds; in a Redis that others
    use too, a name alone could be another cluster's."""
    if external := pool.spec.storage.external:
        return external.prefix or pool.metadata.uid
    return pool.metadata.name
