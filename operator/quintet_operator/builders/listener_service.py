"""The Services through which clients outside the cluster reach a pool."""

from quintet_api.broker_pool import BrokerPool, Listener
from quintet_operator.builders.metadata import Manifest
from quintet_operator.builders.service import HTTP, service


def listener_services(pool: BrokerPool) -> list[Manifest]:
    """One for each listener that is not Internal: those use the pool's own Service."""
    return [_listener_service(pool, listener) for listener in outer(pool)]


def outer(pool: BrokerPool) -> list[Listener]:
    return [listener for listener in pool.spec.listeners if listener.type != "Internal"]


def _listener_service(pool: BrokerPool, listener: Listener) -> Manifest:
    return service(pool, listener.name, component="listener", pods="broker", ports=[HTTP], type=listener.type)
