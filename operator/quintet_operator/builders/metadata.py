"""Names, labels and owner references of children."""

import re
from typing import Any

from quintet_api import names
from quintet_api.definition import Resource
from quintet_api.queue import Queue

Manifest = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""


def child_name(kind: str, name: str, part: str = "") -> str:
    """`<name>-<kind>` or `<name>-<kind>-<part>`: `orders-queue`, `default-broker-pool-redis`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower()
    return "-".join(filter(None, (name, words, part)))


def metadata(owner: Resource, part: str = "", *, component: str, owned: bool = True) -> Manifest:
    """Of the child `part`. What is not `owned` outlives its owner, and is found again by its labels."""
    made: Manifest = {
        "name": child_name(owner.kind, owner.metadata.name, part),
        "namespace": owner.metadata.namespace,
        "labels": labels(owner, component),
    }
    return made | ({"ownerReferences": [owner_reference(owner)]} if owned else {})


def labels(owner: Resource, component: str) -> dict[str, str]:
    """They follow from the owner's name alone: a claim's template, which has them, can never change."""
    pool = owner.spec.broker_pool if isinstance(owner, Queue) else owner.metadata.name
    return {
        "app.kubernetes.io/name": names.APPLICATION,
        "app.kubernetes.io/instance": owner.metadata.name,
        "app.kubernetes.io/component": component,
        names.MANAGED_BY_LABEL: names.MANAGER,
        "app.kubernetes.io/part-of": names.APPLICATION,
        names.KIND_LABEL: owner.kind,
        names.NAME_LABEL: owner.metadata.name,
        names.POOL_LABEL: pool,
    }


def selector(owner: Resource, component: str) -> dict[str, str]:
    """Labels that pick the pods of one component. A StatefulSet's can never change."""
    return {
        names.KIND_LABEL: owner.kind,
        names.NAME_LABEL: owner.metadata.name,
        "app.kubernetes.io/component": component,
    }


def selector_text(owner: Resource, component: str) -> str:
    """As `kubectl --selector` and the scale subresource take it."""
    return ",".join(f"{label}={value}" for label, value in selector(owner, component).items())


def owner_reference(owner: Resource) -> Manifest:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
