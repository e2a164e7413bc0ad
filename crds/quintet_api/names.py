"""Names that manifests, children, conditions and the topology share."""

GROUP = "quintet.dev"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "quintet"

DEFAULT_POOL = "default"
"""The pool of a queue that names none."""

READY = "Ready"
"""The condition that sums up all others: a message would go through."""

PENDING = "Pending"
"""Reason of Ready=Unknown: nobody has looked at the object yet."""

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
