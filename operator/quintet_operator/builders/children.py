"""All children of an object, in the order in which they are applied."""

from quintet_api.broker_pool import BrokerPool
from quintet_api.queue import Queue
from quintet_operator.builders.binding_secret import binding_secret
from quintet_operator.builders.broker_service import broker_pods_service, broker_service
from quintet_operator.builders.broker_stateful_set import broker_stateful_set
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.external_redis import ExternalRedis
from quintet_operator.builders.listener_service import listener_services
from quintet_operator.builders.metadata import Manifest
from quintet_operator.builders.network_policy import broker_network_policy, redis_network_policy
from quintet_operator.builders.pod_disruption_budget import pod_disruption_budget
from quintet_operator.builders.redis_service import redis_service
from quintet_operator.builders.redis_stateful_set import redis_stateful_set
from quintet_operator.builders.service_account import service_account

KEPT = ("Secret", "PersistentVolumeClaim")
"""Kinds of a pool's children that go by their own policy, and not because nobody wants them at the moment."""


def pool_children(
    pool: BrokerPool,
    credentials: Credentials,
    defaults: Defaults,
    *,
    redis: Manifest | None = None,
    external: ExternalRedis | None = None,
) -> list[Manifest]:
    """Of a pool that is not refused. `redis`: its StatefulSet as it is, if it is there.

    The Secret of the credentials is not among them: it is made once, before all others, whose pods mount it.
    """
    embedded = pool.spec.storage.mode == "Embedded"
    return [
        # The pods of a StatefulSet are refused as long as their ServiceAccount is not there.
        service_account(pool),
        # No pod is to run for a moment without what keeps others from it.
        broker_network_policy(pool),
        *([redis_network_policy(pool)] if embedded else []),
        pod_disruption_budget(pool),
        # A name that is asked for before it is there stays unknown for as long as resolvers keep that.
        *([redis_service(pool)] if embedded else []),
        broker_pods_service(pool),
        broker_service(pool),
        # When both change, Redis is on its way first: brokers that start wait for it, not the other way round.
        *([redis_stateful_set(pool, credentials, defaults, redis)] if embedded else []),
        broker_stateful_set(pool, credentials, defaults, external),
        # Those who wait for a port or an address from outside hold up nothing else.
        *listener_services(pool),
    ]


def queue_children(queue: Queue, pool: BrokerPool, credentials: Credentials) -> list[Manifest]:
    """Of a queue in that pool."""
    return [binding_secret(queue, pool, credentials)]
