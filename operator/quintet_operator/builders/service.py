"""What all Services of a pool share."""

from typing import Any

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.addresses import ADMIN_PORT, HTTP_PORT, PEER_PORT
from quintet_operator.builders.metadata import Manifest, metadata, selector

# Without appProtocol: some clouds then ask for / at a load balancer, and take its 4xx for ill health.
HTTP: Manifest = {"name": "http", "port": HTTP_PORT, "targetPort": "http", "protocol": "TCP"}
ADMIN: Manifest = {"name": "admin", "port": ADMIN_PORT, "targetPort": "admin", "protocol": "TCP"}
PEERS: Manifest = {"name": "peers", "port": PEER_PORT, "targetPort": "peers", "protocol": "TCP"}


def service(
    pool: BrokerPool, part: str = "", *, component: str, ports: list[Manifest], pods: str = "", **fields: Any
) -> Manifest:
    """In front of the pods of the component `pods`, or of its own; IPv4 and IPv6 where the cluster has both."""
    spec = {
        "selector": selector(pool, pods or component),
        "ports": ports,
        "ipFamilyPolicy": "PreferDualStack",
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(pool, part, component=component),
        "spec": spec | fields,
    }
