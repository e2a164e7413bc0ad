"""Pools and queues as the operator reads them."""

from typing import Any

from quintet_api.broker_pool import BrokerPool
from quintet_api.queue import Queue
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.defaults import Defaults

CREDENTIALS = Credentials("password", "master", "token")
DEFAULTS = Defaults("quintet:1", "redis:7", "IfNotPresent")
EXTERNAL = {"mode": "External", "external": {"secretRef": {"name": "our-redis"}}}


def pool(name: str = "default", **spec: Any) -> BrokerPool:
    metadata = {"name": name, "namespace": "shop", "uid": "uid-of-pool"}
    return BrokerPool.model_validate({"kind": "BrokerPool", "metadata": metadata, "spec": spec})


def queue(name: str = "orders", **spec: Any) -> Queue:
    metadata = {"name": name, "namespace": "shop", "uid": "uid-of-queue"}
    return Queue.model_validate({"kind": "Queue", "metadata": metadata, "spec": spec})
