"""What the watches told: every object of ours, and every child, as it was last."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from quintet_api import names
from quintet_api.definition import Resource
from quintet_operator.builders.metadata import Manifest

REMEMBERED = 10_000
"""Deleted objects that are kept in mind, so that a late answer does not bring one back."""


class Key(NamedTuple):
    """An object's place, whoever has it."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def key(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return Key(manifest["kind"], metadata["namespace"], metadata["name"])


def place(resource: Resource) -> Key:
    return Key(resource.kind, resource.metadata.namespace, resource.metadata.name)


def owner(manifest: Manifest) -> Key | None:
    """The object that the labels of a child name."""
    metadata = manifest["metadata"]
    labels = metadata.get("labels") or {}
    if names.KIND_LABEL in labels and names.NAME_LABEL in labels:
        return Key(labels[names.KIND_LABEL], metadata["namespace"], labels[names.NAME_LABEL])
    return None


def leaves(manifest: Manifest) -> bool:
    """It is being deleted."""
    return bool(manifest["metadata"].get("deletionTimestamp"))


class Index:
    """By place and uid: for a moment two objects may be seen in one place, and their events in any order."""

    def __init__(self) -> None:
        self._objects: dict[Key, dict[str, Manifest]] = defaultdict(dict)
        self._children: dict[Key, set[Key]] = defaultdict(set)
        self._queues: dict[Key, set[Key]] = defaultdict(set)
        self._deleted: dict[str, int] = {}
        """By uid, the version in which an object was gone, or had our label no more: a later one may have it."""

    def __len__(self) -> int:
        return len(self._objects)

    def put(self, manifest: Manifest) -> Manifest | None:
        """Keep it, unless a newer state or its end is known; return what was known of it."""
        place, metadata = key(manifest), manifest["metadata"]
        known = self._objects[place].get(metadata["uid"]) if place in self._objects else None
        ended = self._deleted.get(metadata["uid"], -1)
        if version(manifest) <= ended or (known and version(known) > version(manifest)):
            return known
        self._objects[place][metadata["uid"]] = manifest
        self._relate(place, known, -1)
        self._relate(place, manifest, 1)
        return known

    def drop(self, manifest: Manifest) -> None:
        """The object with that uid is gone."""
        place, uid = key(manifest), manifest["metadata"]["uid"]
        self._deleted[uid] = version(manifest)
        if len(self._deleted) > REMEMBERED:
            del self._deleted[next(iter(self._deleted))]
        if place not in self._objects or uid not in self._objects[place]:
            return
        left = self._objects[place]
        self._relate(place, left.pop(uid), -1)
        for other in left.values():
            self._relate(place, other, 1)
        if not left:
            del self._objects[place]

    def _relate(self, place: Key, manifest: Manifest | None, step: int) -> None:
        if manifest is None:
            return
        change = set.add if step > 0 else set.discard
        if place.kind == "Queue":
            change(self._queues[pool_of(manifest)], place)
        elif parent := owner(manifest):
            change(self._children[parent], place)

    def get(self, place: Key) -> Manifest | None:
        """What is there; of two, the one that stays, then the newer one."""
        found = self._objects[place].values() if place in self._objects else ()
        return max(found, key=lambda one: (not leaves(one), version(one)), default=None)

    def children(self, parent: Key) -> list[Manifest]:
        """All children that say by their labels that they belong to it."""
        places = self._children.get(parent, ())
        return [child for place in sorted(places) for child in self._objects[place].values() if owner(child) == parent]

    def queues(self, pool: Key) -> list[Key]:
        """The places of the Queues that name that pool."""
        return sorted(self._queues.get(pool, ()))

    def of_kind(self, kind: str) -> Iterator[Manifest]:
        for place, objects in self._objects.items():
            if place.kind == kind:
                yield from objects.values()


def pool_of(queue: Manifest) -> Key:
    """The place of the BrokerPool that a Queue names."""
    name = (queue.get("spec") or {}).get("brokerPool") or names.DEFAULT_POOL
    return Key("BrokerPool", queue["metadata"]["namespace"], name)


def version(manifest: Manifest) -> int:
    """Grows with each write. An API server that counts otherwise makes all equal: then the last one told holds."""
    text = manifest["metadata"].get("resourceVersion") or ""
    return int(text) if text.isdecimal() else 0
