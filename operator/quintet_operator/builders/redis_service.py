"""The Service of the embedded Redis."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.addresses import REDIS_PORT
from quintet_operator.builders.metadata import Manifest
from quintet_operator.builders.service import service


def redis_service(pool: BrokerPool) -> Manifest:
    """An address that stays when the pod moves: behind a headless one, brokers would go on with the old
    address as long as a resolver keeps it."""
    port = {"name": "redis", "port": REDIS_PORT, "targetPort": "redis", "protocol": "TCP"}
    return service(pool, "redis", component="redis", ports=[port], type="ClusterIP")
