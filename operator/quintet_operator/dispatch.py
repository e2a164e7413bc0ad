"""From an event of a watch to what is to be reconciled."""

import asyncio
import time
from collections.abc import Callable, Iterator

from quintet_api import names
from quintet_operator.builders.metadata import Manifest
from quintet_operator.index import Index, Key, key, owner, pool_of, version
from quintet_operator.work_queue import WorkQueue

TOPOLOGY = "Topology"
"""Of the keys under which a pool's document waits in the work queue."""
GATHER = 0.15
"""Seconds for which changes of one pool are gathered into one document."""


def topology_of(pool: Key) -> Key:
    return pool._replace(kind=TOPOLOGY)


class Dispatch:
    """Keeps the index true, and puts keys into the work queue."""

    def __init__(
        self, index: Index, queue: WorkQueue[Key], lease: Key, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._index = index
        self._queue = queue
        self._lease = lease
        self._clock = clock
        self.lease_seen_at: float | None = None
        """When a watch told of the operator's own Lease, which changes each few seconds as long as it leads."""
        self.listed = asyncio.Event()
        """A watch began anew with a list: what was deleted meanwhile it does not tell."""

    def told(self, manifest: Manifest, *, deleted: bool = False, listed: bool = False) -> None:
        """An object is there, has changed or is gone: a watch says so, or the answer to a write of our own.

        `listed`: it was there when the watch began.
        """
        if listed:
            self.listed.set()
        manifest, place = _bare(manifest), key(manifest)
        if place.kind == "Lease":
            if place == self._lease:
                self.lease_seen_at = self._clock()
            return
        before = None
        if deleted:
            self._index.drop(manifest)
        elif (before := self._index.put(manifest)) and version(before) >= version(manifest) > 0:
            return
        for due in affected(manifest, before, self._index):
            if due.kind == TOPOLOGY:
                self._queue.add_after(due, GATHER)
            else:
                self._queue.add(due)

    @property
    def lease_age(self) -> float | None:
        """Seconds since the Lease was seen last."""
        return None if self.lease_seen_at is None else self._clock() - self.lease_seen_at


def affected(manifest: Manifest, before: Manifest | None, index: Index) -> Iterator[Key]:
    """Whose reconcile would do or tell something else now."""
    place = key(manifest)
    if place.kind == "Queue":
        yield place
        if before is None or _changed(manifest, before, "spec", "metadata"):
            yield from (pool_of(manifest), topology_of(pool_of(manifest)))
    elif place.kind == "BrokerPool":
        yield place
        if before is None or _changed(manifest, before, "spec", "metadata") or _ready(manifest) != _ready(before):
            yield topology_of(place)
            yield from index.queues(place)
    elif parent := owner(manifest):
        yield parent
        if parent.kind == "BrokerPool" and place.kind in ("Secret", "StatefulSet"):
            yield topology_of(parent)
        if parent.kind == "BrokerPool" and place.kind == "Secret":
            yield from index.queues(parent)


def _bare(manifest: Manifest) -> Manifest:
    """Without what tells who wrote which field: half of the memory, and nobody reads it."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "managedFields"}
    return manifest | {"metadata": metadata}


def _changed(manifest: Manifest, before: Manifest, *parts: str) -> bool:
    return any(_essence(manifest.get(part)) != _essence(before.get(part)) for part in parts)


def _essence(part: Manifest | None) -> Manifest:
    """Without what changes whenever anything does."""
    return {name: value for name, value in (part or {}).items() if name != "resourceVersion"}


def _ready(pool: Manifest) -> list[Manifest]:
    conditions = (pool.get("status") or {}).get("conditions") or ()
    return [condition for condition in conditions if condition["type"] == names.READY]
