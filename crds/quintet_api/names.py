"""Names that manifests, children, conditions and the topology share."""

GROUP = "quintet.dev"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "quintet"

DEFAULT_POOL = "default"
"""The pool of a queue that names none."""

APPLICATION = "quintet"
"""The labels app.kubernetes.io/name and part-of of all children."""
MANAGER = "quintet"
"""Who manages children: their label, and the field manager that applies them."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
KIND_LABEL = f"{GROUP}/kind"
NAME_LABEL = f"{GROUP}/name"
POOL_LABEL = f"{GROUP}/pool"
"""The pool that a child serves or uses."""

RECONCILE_ANNOTATION = f"{GROUP}/reconcile"
"""On an object, with the value `disabled`: the operator changes nothing of it."""
RECONCILE_DISABLED_VALUE = "disabled"

# Types of conditions.
READY = "Ready"
"""The condition that sums up all others: a message would go through."""
STORAGE_READY = "StorageReady"
"""Of a BrokerPool: its Redis serves."""
STORAGE_DURABLE = "StorageDurable"
"""Of a BrokerPool: its Redis keeps what spec.durability promises. Ready does not ask for it."""
BROKERS_READY = "BrokersReady"
"""Of a BrokerPool: all its brokers serve."""
TOPOLOGY_APPLIED = "TopologyApplied"
"""Of a BrokerPool: all its brokers hold what its objects ask for."""
POOL_READY = "PoolReady"
"""Of a Queue: its BrokerPool is ready."""
APPLIED = "Applied"
"""Of a Queue: the brokers hold it as its spec says. Also the reason why a condition is true."""
BOUND = "Bound"
"""Of a Queue: its Secret is there. Also the reason why it is true."""

# Reasons of conditions. A queue that the broker refuses has the broker's own.
PENDING = "Pending"
"""Nobody has looked at the object yet, or what is asked for is under way."""
AVAILABLE = "Available"
"""All is as it should be."""
RECONCILE_DISABLED = "ReconcileDisabled"
"""The annotation quintet.dev/reconcile stops the operator."""
UNSUPPORTED = "Unsupported"
"""The spec asks for what does not exist yet."""
INVALID_SPEC = "InvalidSpec"
"""The spec asks for what cannot be."""
NAME_TAKEN = "NameTaken"
"""An object of somebody else has the name of a child."""
STORAGE_NOT_READY = "StorageNotReady"
NOT_DURABLE = "NotDurable"
"""The settings of an external Redis hold less than spec.durability promises."""
BROKERS_NOT_READY = "BrokersNotReady"
UPDATING = "Updating"
"""Pods that serve are about to be replaced."""
SECRET_NOT_FOUND = "SecretNotFound"
"""The Secret of an external Redis is not there, or has no `url`."""
INVALID_URL = "InvalidURL"
"""The `url` in the Secret of an external Redis leads nowhere."""
BROKER_UNREACHABLE = "BrokerUnreachable"
"""The brokers do not tell what they hold."""
BROKER_POOL_NOT_FOUND = "BrokerPoolNotFound"
BROKER_POOL_NOT_READY = "BrokerPoolNotReady"

NAME_MAX = 63
POOL_NAME_MAX = 34
"""Leaves room for `-broker-pool-…` and a pod's number in the names of children."""

LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""A DNS label (RFC 1123): the name of an object."""

POOL_NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""A DNS label that begins with a letter (RFC 1035), as the names of its Services must."""

ENTRY_NAME_MAX = 80
ENTRY_NAME_PATTERN = "^[A-Za-z0-9_-]+$"
"""A name inside a pool: clients make queues at run time under names that no object can have."""

ACCOUNT_PATTERN = "^[0-9]{12}$"
"""An AWS account number."""
