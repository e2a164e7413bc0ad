"""Puts children into the cluster, and touches nobody else's objects."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from quintet_api import names
from quintet_api.definition import Resource
from quintet_operator.builders.metadata import Manifest
from quintet_operator.builders.refusal import Refusal
from quintet_operator.cluster import ApiError, Cluster
from quintet_operator.index import Index, key, leaves, owner, place, version

WAITS = 1.0
"""Seconds, until what is on its way out is looked for again."""
BLOCKED = 5.0
"""Seconds, until what is in the way is looked for again: others' objects, and quotas, are not watched."""

FORGOTTEN_ABOVE = 1_000
"""Objects that went, whose last apply is kept in mind."""


@dataclass
class Applied:
    """What became of an object's children."""

    taken: list[str] = field(default_factory=list)
    """`Secret/orders-queue`: they are somebody else's."""
    refusal: Refusal | None = None
    """What the API server said of the first one that it refused."""
    waits: bool = False
    """A child of the object that had the name before is still there, on its way out."""

    @property
    def whole(self) -> bool:
        return not (self.taken or self.refusal or self.waits)

    @property
    def look_again(self) -> float | None:
        """Seconds until it is worth another look, where no watch will tell; None where nothing is amiss."""
        if self.waits:
            return WAITS
        return None if self.whole else BLOCKED


class Applier:
    """Server-side apply, onto what is absent or the owner's own."""

    def __init__(self, cluster: Cluster, index: Index, told: Callable[[Manifest], None]) -> None:
        """`told` takes the answer to a write, as if a watch had told it."""
        self._cluster = cluster
        self._index = index
        self._told = told
        self._last: dict[str, tuple[int, str]] = {}
        """By uid: the version that the last apply made, and a hash of what was applied. Nothing is to be done
        where both are the same. It is forgotten with the process: each leader applies all once."""

    async def apply(
        self, parent: Resource, child: Manifest, applied: Applied, *, adopt: bool = False
    ) -> Manifest | None:
        """The child as it is then; None where it could not be applied, which `applied` tells. Raises ApiError.

        `adopt`: it outlives its owner, and is the next one's too, by its labels.
        """
        try:
            found = await self.find(child)
            match whose(parent, found, adopt):
                case "nobody's":
                    return await self._write(child, "")
                case "ours" if found is not None:
                    return await self._update(child, found)
                case "leaves":
                    applied.waits = True
                case _:
                    applied.taken.append(title(child))
        except ApiError as error:
            if not error.refuses or error.passes:
                raise
            told = f"The API server refuses {title(child)}: {error.message}"
            applied.refusal = applied.refusal or Refusal(names.INVALID_SPEC, told)
        return None

    async def replaces_pods(self, child: Manifest) -> bool:
        """Whether to apply a StatefulSet would change the template of pods that are there. Raises ApiError."""
        found = self._index.get(key(child))
        if found is None or self._is_applied(child, found):
            return False
        made = await self._cluster.apply(child, found["metadata"]["uid"], dry_run=True)
        return bool(made["spec"]["template"] != found["spec"]["template"])

    async def find(self, child: Manifest) -> Manifest | None:
        """From the index, else from the API server: others' objects are not watched."""
        return self._index.get(key(child)) or await self._cluster.get(*key(child))

    async def _update(self, child: Manifest, found: Manifest) -> Manifest:
        if self._is_applied(child, found):
            return found
        return await self._write(child, found["metadata"]["uid"])

    def _is_applied(self, child: Manifest, found: Manifest) -> bool:
        """Nothing changed since it was applied, neither there nor here."""
        return self._last.get(found["metadata"]["uid"]) == (version(found), _digest(child))

    async def _write(self, child: Manifest, uid: str) -> Manifest:
        made = await self._cluster.apply(child, uid)
        if len(self._last) > FORGOTTEN_ABOVE + 2 * len(self._index):
            self._last.clear()
        self._last[made["metadata"]["uid"]] = (version(made), _digest(child))
        self._told(made)
        return made

    async def remove_obsolete(self, parent: Resource, wanted: Iterable[Manifest], kept: Iterable[str] = ()) -> None:
        """Delete the owner's children that are not wanted any more. Raises ApiError."""
        places = {key(child) for child in wanted}
        for child in self._index.children(place(parent)):
            obsolete = key(child) not in places and child["kind"] not in kept and not leaves(child)
            if obsolete and controller(child).get("uid") == parent.metadata.uid:
                await self._delete(child)

    async def _delete(self, child: Manifest) -> None:
        try:
            await self._cluster.delete(child)
        except ApiError as error:
            if not error.passes:
                raise


def whose(parent: Resource, found: Manifest | None, adopt: bool = False) -> str:
    """`nobody's`, `ours`, `leaves`, or `others'`."""
    if found is None:
        return "nobody's"
    holder = controller(found)
    if holder.get("uid") == parent.metadata.uid:
        return "leaves" if leaves(found) else "ours"
    if holder:
        # The garbage collector has it, since that owner is gone.
        same = (holder["kind"], holder["name"]) == (parent.kind, parent.metadata.name)
        return "leaves" if same and holder["apiVersion"].startswith(f"{names.GROUP}/") else "others'"
    if adopt and _labelled(parent, found):
        return "leaves" if leaves(found) else "ours"
    return "others'"


def _labelled(parent: Resource, found: Manifest) -> bool:
    labels = found["metadata"].get("labels") or {}
    return owner(found) == place(parent) and labels.get(names.MANAGED_BY_LABEL) == names.MANAGER


def controller(manifest: Manifest) -> Manifest:
    """The owner reference that says so; empty where there is none."""
    references: list[Manifest] = manifest["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), {})


def title(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
