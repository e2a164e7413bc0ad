"""The BrokerPool: its spec, status and rules."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from quintet_api import names
from quintet_api.common import Between, Cpu, Quantity, Rule, Spec, Status, immutable
from quintet_api.definition import Column, Definition, Resource, Scale

CpuAmount = Annotated[Cpu, Between("1m", "1000")]
MemoryAmount = Annotated[Quantity, Between("32Mi", "10Ti")]
ObjectName = Annotated[str, Field(min_length=1, max_length=253)]
LabelMap = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)]


def within_limit(resource: str) -> Rule:
    """Kubernetes refuses a pod that is promised more than it may use."""
    request, limit = f"self.requests.{resource}", f"self.limits.{resource}"
    return Rule(
        f"!has(self.requests) || !has(self.limits) || !has({request}) || !has({limit})"
        f" || quantity(string({request})).compareTo(quantity(string({limit}))) <= 0",
        f"must not exceed limits.{resource}",
        f".requests.{resource}",
    )


RESOURCE_RULES = (within_limit("cpu"), within_limit("memory"))


class BrokerRequests(Spec):
    """What a broker pod is promised."""

    cpu: CpuAmount = 100
    """CPUs."""
    memory: MemoryAmount = 256 * 2**20
    """Bytes of memory."""


class BrokerLimits(Spec):
    """What a broker pod may use."""

    cpu: CpuAmount | None = None
    """CPUs. Without it as many as the node has."""
    memory: MemoryAmount = 512 * 2**20
    """Bytes of memory."""


class BrokerResources(Spec):
    """CPU and memory of each broker pod."""

    requests: BrokerRequests = BrokerRequests()
    """What a broker pod is promised."""
    limits: BrokerLimits = BrokerLimits()
    """What a broker pod may use."""

    rules: ClassVar[tuple[Rule, ...]] = RESOURCE_RULES


class StorageRequests(Spec):
    """What Redis is promised."""

    cpu: CpuAmount = 100
    """CPUs."""
    memory: MemoryAmount = 512 * 2**20
    """Bytes of memory."""


class StorageLimits(Spec):
    """What Redis may use."""

    cpu: CpuAmount | None = None
    """CPUs. Without it as many as the node has."""
    memory: MemoryAmount = 512 * 2**20
    """Bytes of memory. Three quarters of it are for messages: new ones are refused when 80 % of that is full."""


class StorageResources(Spec):
    """CPU and memory of the embedded Redis."""

    requests: StorageRequests = StorageRequests()
    """What Redis is promised."""
    limits: StorageLimits = StorageLimits()
    """What Redis may use."""

    rules: ClassVar[tuple[Rule, ...]] = RESOURCE_RULES


class Persistence(Spec):
    """The volume of the embedded Redis."""

    size: Annotated[Quantity, Between("64Mi", "100Ti")] = 8 * 2**30
    """Bytes of the volume. Grows only."""
    storage_class: ObjectName | None = None
    """Name of the StorageClass. Without it the cluster's default. Immutable."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable(".storageClass"),
        Rule(
            "!has(self.size) || !has(oldSelf.size)"
            " || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
            "must not shrink",
            ".size",
        ),
    )


class SecretReference(Spec):
    """A Secret in the pool's namespace."""

    name: ObjectName
    """Name of the Secret."""


class ExternalStorage(Spec):
    """A Redis that exists already."""

    secret_ref: SecretReference
    """Secret whose key `url` says where it is. One Redis: redis://user:password@host:6379/0. By Sentinels:
    redis+sentinel://user:password@host:26379,host:26379/name-of-the-primary. A Redis Cluster:
    redis+cluster://user:password@host:6379,host:6379. What is special in a URL
    stands in a password as %2F, %40 and so on. With rediss in place of redis: by TLS; then the Secret may have
    `ca.crt`, the authorities to trust, and `tls.crt` with `tls.key`, by which brokers show who they are."""
    prefix: Annotated[str, Field(min_length=1, max_length=63, pattern="^[A-Za-z0-9_.-]+$")] | None = None
    """Sets the pool's keys apart from others in the same Redis. Without it the pool's uid."""


class Storage(Spec):
    """Where messages are kept."""

    mode: Literal["Embedded", "External"] = "Embedded"
    """Embedded runs a Redis of the pool's own, External uses one that exists. Immutable."""
    resources: StorageResources = StorageResources()
    """CPU and memory of the embedded Redis."""
    persistence: Persistence = Persistence()
    """The volume of the embedded Redis."""
    external: ExternalStorage | None = None
    """The Redis that is used when mode is External. Immutable."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable(".mode"),
        immutable(".external"),
        Rule(
            "!has(self.mode) || self.mode != 'External' || has(self.external)",
            "is needed when storage.mode is External",
            ".external",
        ),
        Rule(
            "!has(self.external) || (has(self.mode) && self.mode == 'External')",
            "is used only when storage.mode is External",
            ".external",
        ),
    )


class Listener(Spec):
    """A way in for clients."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=names.POOL_NAME_PATTERN)]
    """Sets it apart from the pool's other listeners."""
    type: Literal["Internal", "NodePort", "LoadBalancer"] = "Internal"
    """Internal is reached inside the cluster, NodePort on each node, LoadBalancer from outside."""


class Toleration(Spec):
    """A taint that the pods put up with (as in a Pod)."""

    key: Annotated[str, Field(max_length=316)] | None = None
    """The taint's key. Without it, and with operator Exists, any taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """Whether `value` must equal the taint's."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect. Without it any."""
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None
    """Seconds that a pod stays on a node after a NoExecute taint. Without it for ever."""


class TemplateMetadata(Spec):
    """Labels and annotations that the pods get beside their own."""

    labels: LabelMap | None = None
    """Labels."""
    annotations: Annotated[dict[str, str], Field(max_length=64)] | None = None
    """Annotations."""


class TemplateSpec(Spec):
    """Where the pods run, with the words of a Pod."""

    node_selector: LabelMap | None = None
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False, max_length=32)] | None = None
    """Taints that the pods put up with."""
    affinity: dict[str, Any] | None = None
    """Affinity, as in a Pod."""
    topology_spread_constraints: Annotated[tuple[dict[str, Any], ...], Field(strict=False, max_length=16)] | None = None
    """Topology spread constraints, as in a Pod."""
    priority_class_name: ObjectName | None = None
    """Name of the PriorityClass."""
    image_pull_secrets: Annotated[tuple[SecretReference, ...], Field(strict=False, max_length=16)] | None = None
    """Secrets to pull the image with."""


class Template(Spec):
    """What the broker pods get beside what the operator gives them."""

    metadata: TemplateMetadata | None = None
    """Labels and annotations that the pods get beside their own."""
    spec: TemplateSpec | None = None
    """Where the pods run, with the words of a Pod."""


class BrokerPoolSpec(Spec):
    """What the pool should be."""

    replicas: Annotated[int, Field(ge=1, le=32)] = 1
    """Number of broker pods."""
    durability: Literal["Memory", "Fsync", "Replicated"] = "Fsync"
    """What a confirmed message survives. Memory: the end of any process; up to 2 s may go with a node.
    Fsync: also the end of the node. Replicated: the loss of the primary Redis; with storage.mode External
    alone."""
    resources: BrokerResources = BrokerResources()
    """CPU and memory of each broker pod."""
    template: Template | None = None
    """What the broker pods get beside what the operator gives them."""
    storage: Storage = Storage()
    """Where messages are kept."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What becomes of the volumes and their Secrets when the object is deleted: Retain keeps them for a pool
    of the same name, Delete drops them."""
    image: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^\S+$")] | None = None
    """Image of the broker pods. Without it the chart's brokerImage."""
    account: Annotated[str, Field(pattern=names.ACCOUNT_PATTERN)] = "000000000000"
    """AWS account number that QueueUrls and ARNs show: 12 digits."""
    listeners: Annotated[
        tuple[Listener, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = (Listener(name="internal"),)
    """Ways in for clients."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.durability) || self.durability != 'Replicated' || (has(self.storage)"
            " && has(self.storage.mode) && self.storage.mode == 'External')",
            "must not be Replicated with storage.mode Embedded, which has no replicas",
            ".durability",
        ),
    )


class BrokerPoolStatus(Status):
    """What the operator observed. Written by the operator alone."""

    replicas: Annotated[int, Field(ge=0)] | None = None
    """Number of broker pods that exist."""
    ready_replicas: Annotated[int, Field(ge=0)] | None = None
    """Number of broker pods that are ready."""
    selector: str | None = None
    """Label selector of the broker pods, for the scale subresource."""
    objects: Annotated[int, Field(ge=0)] | None = None
    """Number of objects that name this pool. 0: it is unused."""
    url: str | None = None
    """Where clients reach the pool inside the cluster, over HTTP."""


class BrokerPool(Resource):
    """Broker pods with their storage. Queues live in one."""

    definition: ClassVar = Definition(
        kind="BrokerPool",
        plural="brokerpools",
        short_name="qtbp",
        name_pattern=names.POOL_NAME_PATTERN,
        name_max=names.POOL_NAME_MAX,
        columns=(
            Column("Replicas", ".spec.replicas", "integer"),
            Column("Durability", ".spec.durability"),
            Column("Storage", ".spec.storage.mode"),
            Column("Objects", ".status.objects", "integer"),
        ),
        scale=Scale(".spec.replicas", ".status.replicas", ".status.selector"),
    )

    kind: Literal["BrokerPool"] = "BrokerPool"
    spec: BrokerPoolSpec = BrokerPoolSpec()
    status: BrokerPoolStatus = BrokerPoolStatus()
