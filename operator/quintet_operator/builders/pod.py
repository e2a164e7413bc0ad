"""Pieces that the pods and StatefulSets of a pool are put together from."""

from collections.abc import Sequence
from typing import Any

from quintet_api.broker_pool import BrokerPool, BrokerResources, StorageResources
from quintet_api.common import format_bytes, format_cpu
from quintet_operator.builders.credentials import secret_name
from quintet_operator.builders.metadata import Manifest, labels, metadata, selector

USER = 10001
"""User and group of all processes; what they write belongs to the group."""

CREDENTIALS_DIRECTORY = "/etc/quintet"
CREDENTIALS_ANNOTATION = "quintet.dev/credentials"
"""Hash of what a pod has of the credentials: pods are started anew when it changes."""

CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def stateful_set(pool: BrokerPool, part: str = "", *, component: str, template: Manifest, **fields: Any) -> Manifest:
    """`fields`: serviceName, replicas, and what else the spec holds."""
    spec = {
        "selector": {"matchLabels": selector(pool, component)},
        # OrderedReady waits for ever for a pod whose template was bad, also when a good one has come.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "revisionHistoryLimit": 3,
        "template": template,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(pool, part, component=component),
        "spec": spec | fields,
    }


def template(pool: BrokerPool, *, component: str, digest: str, spec: Manifest) -> Manifest:
    """Of a pod that runs as an ordinary user and knows nothing of the cluster."""
    common = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security(),
    }
    return {
        "metadata": {"labels": labels(pool, component), "annotations": {CREDENTIALS_ANNOTATION: digest}},
        "spec": common | spec,
    }


def security() -> Manifest:
    """What the Pod Security Standard `restricted` asks of a pod; CONTAINER_SECURITY is the rest of it."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        # Else each start of a pod walks through its whole volume.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def resources(amounts: BrokerResources | StorageResources) -> Manifest:
    return {
        name: _amounts(amount.cpu, amount.memory)
        for name, amount in (("requests", amounts.requests), ("limits", amounts.limits))
    }


def _amounts(cpu: int | None, memory: int) -> dict[str, str]:
    return ({"cpu": format_cpu(cpu)} if cpu is not None else {}) | {"memory": format_bytes(memory)}


def credentials_volume(pool: BrokerPool, keys: Sequence[str]) -> Manifest:
    """Those keys of the pool's credentials."""
    return secret_volume("credentials", secret_name(pool), keys)


CREDENTIALS_MOUNT: Manifest = {"name": "credentials", "mountPath": CREDENTIALS_DIRECTORY, "readOnly": True}


def secret_volume(name: str, secret: str, keys: Sequence[str], **fields: Any) -> Manifest:
    """Those keys of a Secret as files that the pod's group alone may read. `fields`: what else the volume says."""
    items = [{"key": key, "path": key} for key in keys]
    return {"name": name, "secret": {"secretName": secret, "items": items, "defaultMode": 0o440} | fields}


def from_secret(variable: str, secret: str, key: str) -> Manifest:
    """An environment variable with what a Secret holds."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def pull_secrets(secrets: Sequence[str]) -> Manifest:
    """The field of a pod's spec, where there are any."""
    return {"imagePullSecrets": [{"name": name} for name in dict.fromkeys(secrets)]} if secrets else {}


def http_probe(path: str, *, period: int, failures: int, within: int = 5) -> Manifest:
    """Of the admin port: every `period` seconds, given up after `failures` in a row."""
    how = {"httpGet": {"path": path, "port": "admin", "scheme": "HTTP"}}
    return probe(how, period=period, failures=failures, within=within)


def probe(how: Manifest, *, period: int, failures: int, within: int = 5) -> Manifest:
    """`within`: seconds for an answer."""
    times = {"periodSeconds": period, "timeoutSeconds": within}
    return how | times | {"failureThreshold": failures, "successThreshold": 1}
