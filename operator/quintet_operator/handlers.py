"""What kopf calls. It is the informer and nothing else: it writes into no object."""

from typing import Any

import kopf

from quintet_api import names
from quintet_operator.cluster import KINDS
from quintet_operator.dispatch import Dispatch

OWN = ("BrokerPool", "Queue")
WATCHED = (
    *OWN,
    "Secret",
    "Service",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "StatefulSet",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Lease",
)
"""Of what is not our own kind only what has our label."""
SELECTOR = f"{names.MANAGED_BY_LABEL}={names.MANAGER}"


def selector(kind: str) -> str:
    """Which objects of a kind are watched; empty: all."""
    return "" if kind in OWN else SELECTOR


def registry(dispatch: Dispatch) -> kopf.OperatorRegistry:
    """Every handler. None of on.create, on.update, on.delete, timer or daemon: those annotate what they watch, or
    add finalizers."""
    made = kopf.OperatorRegistry()

    @kopf.on.login(registry=made)
    def login(**how: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**how) or kopf.login_with_kubeconfig(**how)

    for kind in map(KINDS.__getitem__, WATCHED):

        @kopf.on.event(*kind.group_version_plural, registry=made, id=kind.plural)
        async def told(event: kopf.RawEvent, **_: Any) -> None:
            dispatch.told(dict(event["object"]), deleted=event["type"] == "DELETED", listed=event["type"] is None)

    return made
