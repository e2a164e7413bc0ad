"""Manifests of our kinds."""

from typing import Any

from quintet_api import names
from tests.cluster.kubectl import Manifest


def queue(name: str, **spec: Any) -> Manifest:
    return _manifest("Queue", name, spec)


def pool(name: str, **spec: Any) -> Manifest:
    return _manifest("BrokerPool", name, spec)


def _manifest(kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
