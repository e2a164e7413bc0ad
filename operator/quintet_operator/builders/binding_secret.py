"""The Secret with what a client of a queue needs (Service Binding for Kubernetes)."""

from quintet_api.broker_pool import BrokerPool
from quintet_api.credentials import key_id, secret_key
from quintet_api.queue import Queue
from quintet_operator.builders.addresses import HTTP_PORT, REGION, host, queue_url, url
from quintet_operator.builders.credentials import Credentials, encoded
from quintet_operator.builders.metadata import Manifest, child_name, metadata


def binding_secret(queue: Queue, pool: BrokerPool, credentials: Credentials) -> Manifest:
    """The same whenever it is made again: its key follows from the pool's master key."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(queue, component="binding"),
        "type": "servicebinding.io/quintet",
        "data": encoded(_entries(queue, pool, credentials)),
    }


def binding_name(queue: Queue) -> str:
    return child_name(queue.kind, queue.metadata.name)


def _entries(queue: Queue, pool: BrokerPool, credentials: Credentials) -> dict[str, str]:
    """Well-known entries of Service Binding, then what AWS's SDKs read from the environment."""
    access_key = key_id(queue.kind, queue.metadata.namespace, queue.metadata.name)
    secret = secret_key(credentials.master_key.encode(), access_key)
    return {
        "type": "sqs",
        "provider": "quintet",
        "host": host(pool),
        "port": str(HTTP_PORT),
        "uri": url(pool),
        "access-key-id": access_key,
        "secret-access-key": secret,
        "queue-url": queue_url(pool, queue),
        "region": REGION,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_SQS": url(pool),
    }
