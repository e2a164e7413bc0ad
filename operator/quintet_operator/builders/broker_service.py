"""The Services of the brokers: one for clients, one that names each pod."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.metadata import Manifest
from quintet_operator.builders.service import ADMIN, HTTP, PEERS, service


def broker_service(pool: BrokerPool) -> Manifest:
    """Where clients in the cluster reach the pool."""
    return service(pool, component="broker", ports=[HTTP], type="ClusterIP")


def broker_pods_service(pool: BrokerPool) -> Manifest:
    """A name for each broker, ready or not: the operator and the other brokers ask also those that are not."""
    headless: Manifest = {"type": "ClusterIP", "clusterIP": "None", "publishNotReadyAddresses": True}
    return service(pool, "pods", component="broker", ports=[HTTP, ADMIN, PEERS], **headless)
