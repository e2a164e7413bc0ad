"""Where the parts of a pool are reached inside the cluster."""

from quintet_api.broker_pool import BrokerPool
from quintet_api.queue import Queue, sqs_name
from quintet_operator.builders.metadata import child_name

HTTP_PORT = 9400
ADMIN_PORT = 9401
PEER_PORT = 9402
REDIS_PORT = 6379
REGION = "us-east-1"
"""Shown to clients; the broker accepts any."""


def host(pool: BrokerPool, part: str = "") -> str:
    """Of a Service of the pool. Without the cluster's domain, which pods add themselves."""
    return f"{child_name(pool.kind, pool.metadata.name, part)}.{pool.metadata.namespace}.svc"


def url(pool: BrokerPool) -> str:
    """For clients, over HTTP."""
    return f"http://{host(pool)}:{HTTP_PORT}"


def queue_url(pool: BrokerPool, queue: Queue) -> str:
    """As the SQS face makes it for clients inside the cluster."""
    return f"{url(pool)}/{pool.spec.account}/{sqs_name(queue.metadata.name, queue.spec.ordering)}"


def pod_name(pool: BrokerPool, number: int) -> str:
    """Of the broker with that number, from 0."""
    return child_name(pool.kind, pool.metadata.name, str(number))


def pod_host(pool: BrokerPool, pod: str) -> str:
    """Of one broker, ready or not."""
    return f"{pod}.{host(pool, 'pods')}"


def admin_url(pool: BrokerPool, number: int) -> str:
    """Of the broker with that number."""
    return f"http://{pod_host(pool, pod_name(pool, number))}:{ADMIN_PORT}"
