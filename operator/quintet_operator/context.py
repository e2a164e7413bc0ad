"""What a reconcile works with."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from quintet_operator.apply import Applier
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.metadata import Manifest
from quintet_operator.cluster import Cluster
from quintet_operator.index import Index, Key
from quintet_operator.keyring import Keyring
from quintet_operator.rollouts import Rollouts
from quintet_operator.topology import Topologies
from quintet_operator.work_queue import WorkQueue


@dataclass(frozen=True)
class Context:
    """One a process."""

    index: Index
    cluster: Cluster
    applier: Applier
    keyring: Keyring
    topologies: Topologies
    rollouts: Rollouts
    queue: WorkQueue[Key]
    defaults: Defaults
    told: Callable[[Manifest], None]
    """Takes the answer to a write, as if a watch had told it."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
