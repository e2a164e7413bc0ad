"""What was observed of an object and its surroundings: all that its conditions are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from quintet_api.common import Condition
from quintet_api.topology import EntryStatus, Revision, TopologyStatus
from quintet_operator.builders.metadata import Manifest
from quintet_operator.builders.refusal import Refusal


@dataclass(frozen=True)
class PoolFacts:
    """Of a BrokerPool. What is left out was not looked at, or is not there."""

    disabled: bool = False
    """The annotation quintet.dev/reconcile says `disabled`."""
    refusal: Refusal | None = None
    """Why nothing is changed: the spec asks for what cannot be, or the API server refused a child."""
    name_taken: Sequence[str] = ()
    """`Secret/default-broker-pool-credentials`: somebody else's objects that have the names of children."""
    storage: Manifest | None = None
    """The StatefulSet of the embedded Redis."""
    storage_pods: Sequence[Manifest] = ()
    """Its pods; only to tell why they are not ready."""
    volume_refusal: str = ""
    """Why its volume does not grow, as the API server says it."""
    external: str = ""
    """Name of the Secret of an external Redis; empty where Redis is embedded."""
    external_missing: bool = False
    """That Secret is not there, or has no `url`."""
    external_fault: str = ""
    """Why that `url` cannot be used, without anything that stands in it."""
    brokers: Manifest | None = None
    """The StatefulSet of the brokers."""
    broker_pods: Sequence[Manifest] = ()
    """Its pods; only to tell why they are not ready."""
    topology: TopologyStatus | None = None
    """The brokers' last answer."""
    revision: Revision | None = None
    """Of the document that they should hold."""
    broker_error: str = ""
    """Why they gave no answer."""


@dataclass(frozen=True)
class QueueFacts:
    """Of a Queue. What is left out was not looked at, or is not there."""

    pool: str
    """Name of its BrokerPool."""
    disabled: bool = False
    """The annotation quintet.dev/reconcile says `disabled`."""
    refusal: Refusal | None = None
    """Why nothing is changed: the API server refused a child."""
    name_taken: Sequence[str] = ()
    """`Secret/orders-queue`: somebody else's objects that have the names of children."""
    pool_found: bool = False
    pool_awaited: bool = False
    """It is not there, and will be made in a moment."""
    pool_conditions: Sequence[Condition] = ()
    url: str = ""
    """Where its pool serves it; empty where that pool cannot be read."""
    entry: EntryStatus | None = None
    """The brokers' answer about this very uid, from a revision that has this generation's spec in it."""
    broker_error: str = ""
    """Why they gave no answer."""
    bound: bool = False
    """Its Secret is as it should be."""
