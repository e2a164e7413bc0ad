"""The Queue: its spec, status and rules."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quintet_api import names
from quintet_api.common import Between, Duration, Model, Quantity, Rule, Spec, Status, immutable
from quintet_api.definition import Column, Definition, Resource

PoolName = Annotated[str, Field(min_length=1, max_length=names.POOL_NAME_MAX, pattern=names.POOL_NAME_PATTERN)]
EntryName = Annotated[str, Field(min_length=1, max_length=names.ENTRY_NAME_MAX, pattern=names.ENTRY_NAME_PATTERN)]


class DeadLetter(Spec):
    """Where messages go that cannot be delivered."""

    queue: EntryName
    """Name of the dead-letter queue: another queue of the same pool."""
    max_receives: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many times a message is delivered, at most, before it moves there."""
    expired: bool = False
    """Whether a message whose own expiry has passed moves there too, instead of being dropped. One that is older than
    messageRetention is dropped in any case."""


class Limits(Spec):
    """How much the queue holds."""

    messages: Annotated[int, Field(ge=1, le=10**12)] | None = None
    """Messages in the queue, in flight and delayed ones included. Without it the pool's memory is the limit."""
    bytes: Annotated[Quantity, Between("1Ki", "100Ti")] | None = None
    """Bytes of the messages in the queue, about, delayed ones left out. Without it the pool's memory is the limit."""
    in_flight: Annotated[int, Field(ge=1, le=120_000)] = 120_000
    """Messages that are delivered and not yet acknowledged."""
    overflow: Literal["Reject", "DropOldest", "DeadLetter"] = "Reject"
    """What happens to a send beyond `messages` or `bytes`: Reject refuses it, DropOldest makes room by
    dropping the oldest messages, DeadLetter makes room by moving the oldest to the dead-letter queue. Messages in
    flight and delayed ones make no room; of several priorities the lowest goes first."""


class Deduplication(Spec):
    """How a Fifo queue tells duplicates: messages whose deduplication id came in the last 5 minutes."""

    scope: Literal["Queue", "Group"] = "Queue"
    """Where an id counts: in the whole queue, or within its message group."""
    content_based: bool = False
    """Whether a message that is sent without an id gets one that is made of its value."""


class QueueSpec(Spec):
    """What the queue should be."""

    ordering: Literal["Standard", "Fifo"] = "Standard"
    """Standard delivers in no promised order; Fifo keeps the order within each message group and drops
    duplicates. Immutable."""
    deduplication: Deduplication = Deduplication()
    """How duplicates are told. In a Fifo queue alone."""
    shards: Annotated[int, Field(ge=1, le=32)] = 1
    """Into how many parts the queue is divided; the pool's brokers share them. They can only become more. Messages of
    one key, or message group, are of one shard; order and limits hold in each. Fifo with more than one needs
    deduplication.scope Group, and consumers other than Shared need one."""
    consumers: Literal["Shared", "SingleActive", "Exclusive"] = "Shared"
    """Shared serves any number of consumers at the same time. SingleActive serves one, the first that asks, and another
    when that one is done or gone. Exclusive serves one likewise and refuses others meanwhile."""
    broker_pool: PoolName = names.DEFAULT_POOL
    """Name of the BrokerPool, in the same namespace, that holds the messages. The pool `default` is made
    when it is first needed. Immutable."""
    visibility_timeout: Annotated[Duration, Between("0s", "12h")] = timedelta(seconds=30)
    """How long a delivered message stays hidden from other consumers, unless acknowledged."""
    delivery_delay: Annotated[Duration, Between("0s", "15m")] = timedelta(0)
    """How long a new message waits before it can be received."""
    message_retention: Annotated[Duration, Between("60s", "336h")] = timedelta(hours=96)
    """How long a message is kept, counted from when it was sent."""
    max_message_size: Annotated[Quantity, Between("1Ki", "1Mi")] = 2**20
    """Bytes of one message, at most, its attributes included."""
    receive_wait_time: Annotated[Duration, Between("0s", "20s")] = timedelta(0)
    """How long a receive waits for a first message when it does not say so itself."""
    dead_letter: DeadLetter | None = None
    """Where messages go that were received too often. Without it they stay until messageRetention ends."""
    limits: Limits = Limits()
    """How much the queue holds."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What becomes of the messages when the object is deleted: Retain keeps them for an object of the same
    name, Delete drops them."""
    paused: bool = False
    """Stops delivery. Sends go on."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable(".ordering"),
        immutable(".brokerPool"),
        Rule(
            "(has(self.shards) ? self.shards : 1) >= (has(oldSelf.shards) ? oldSelf.shards : 1)",
            "can only become more",
            ".shards",
        ),
        Rule(
            "!has(self.shards) || self.shards == 1 || !has(self.ordering) || self.ordering != 'Fifo'"
            " || (has(self.deduplication) && has(self.deduplication.scope) && self.deduplication.scope == 'Group')",
            "more than one of a Fifo queue needs spec.deduplication.scope Group",
            ".shards",
        ),
        Rule(
            "!has(self.shards) || self.shards == 1 || !has(self.consumers) || self.consumers == 'Shared'",
            "more than one need spec.consumers Shared",
            ".shards",
        ),
        Rule(
            "!has(self.deduplication) || (has(self.ordering) && self.ordering == 'Fifo')"
            " || ((!has(self.deduplication.scope) || self.deduplication.scope == 'Queue')"
            " && (!has(self.deduplication.contentBased) || !self.deduplication.contentBased))",
            "must not be set unless spec.ordering is Fifo",
            ".deduplication",
        ),
        Rule(
            "!has(self.limits) || !has(self.limits.overflow) || self.limits.overflow != 'DeadLetter'"
            " || has(self.deadLetter)",
            "must not be DeadLetter without spec.deadLetter",
            ".limits.overflow",
        ),
    )


def sqs_name(name: str, ordering: str) -> str:
    """What SQS calls a queue."""
    return f"{name}.fifo" if ordering == "Fifo" else name


class MessageCounts(Model):
    """Messages in the queue, by what they wait for."""

    visible: Annotated[int, Field(ge=0)] = 0
    """Messages that can be received now."""
    in_flight: Annotated[int, Field(ge=0)] = 0
    """Messages that are delivered and not yet acknowledged."""
    delayed: Annotated[int, Field(ge=0)] = 0
    """Messages that wait for their delay to end."""


class Binding(Model):
    """A Secret with what a client needs (Service Binding for Kubernetes, Provisioned Service)."""

    name: str
    """Name of the Secret, in the same namespace."""


class QueueStatus(Status):
    """What the operator observed. Written by the operator alone."""

    url: str | None = None
    """The QueueUrl inside the cluster."""
    binding: Binding | None = None
    """The Secret with address and access key."""
    messages: MessageCounts | None = None
    """How many messages the queue holds, refreshed every 30 s at most."""


class Queue(Resource):
    """Messages from many producers, each delivered to one of many consumers until one acknowledges it."""

    definition: ClassVar = Definition(
        kind="Queue",
        plural="queues",
        short_name="qtq",
        name_pattern=names.LABEL_PATTERN,
        name_max=names.NAME_MAX,
        columns=(
            Column("Ordering", ".spec.ordering"),
            Column("Pool", ".spec.brokerPool"),
            Column("Visible", ".status.messages.visible", "integer"),
            Column("In flight", ".status.messages.inFlight", "integer"),
            Column("Dead letter", ".spec.deadLetter.queue", priority=1),
        ),
    )
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.spec) || !has(self.spec.deadLetter) || self.spec.deadLetter.queue != self.metadata.name",
            "must be another queue, not the queue itself",
            ".spec.deadLetter.queue",
        ),
    )

    kind: Literal["Queue"] = "Queue"
    spec: QueueSpec = QueueSpec()
    status: QueueStatus = QueueStatus()
