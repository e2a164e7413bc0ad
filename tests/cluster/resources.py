"""Manifests."""

from typing import Any

from quintet_api import names
from tests.cluster.kubectl import Manifest


def queue(name: str, **spec: Any) -> Manifest:
    return _manifest("Queue", name, spec)


def pool(name: str, **spec: Any) -> Manifest:
    return _manifest("BrokerPool", name, spec)


def secret(name: str, **data: str) -> Manifest:
    """Somebody's own."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def _manifest(kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
