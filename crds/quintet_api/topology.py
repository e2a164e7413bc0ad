"""The document that says what a pool should hold, and the broker's answer to it.

The operator (or `quintet up`) PUTs the one to /admin/v1/topology and GETs the other.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from quintet_api.common import Model
from quintet_api.queue import MessageCounts

Revision = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
"""(Lease transitions, counter): compared in this order, so a leader that was paused cannot undo a newer one."""


class Entry(Model):
    """One declared object. Its spec is checked by the broker, entry by entry: a bad one spoils only itself."""

    kind: str
    name: str
    uid: str
    """A new uid under an old name is a deletion, then a creation."""
    spec: dict[str, Any] | None
    """As in the manifest, with all defaults; None: as the broker holds it already."""


class TopologyDocument(Model):
    """The whole desired state of a pool."""

    schema_version: Literal[1] = 1
    revision: Revision
    entries: list[Entry]


class PodStatus(Model):
    """A live pod, and the revision it applied last."""

    name: str
    revision: Revision


class EntryStatus(Model):
    """What became of an entry."""

    kind: str
    name: str
    uid: str
    state: Literal["Applied", "Refused"]
    reason: str = ""
    """One CamelCase word; empty when applied."""
    message: str = ""
    messages: MessageCounts | None = None
    """How many messages it holds; none are told of an object whose shard nobody has yet."""


class StorageStatus(Model):
    """What the pool's Redis says of itself."""

    version: str = ""
    """Of Redis, the oldest one of a Redis Cluster."""
    warnings: list[str] = Field(default_factory=list)
    """What its settings do not hold of the pool's durability, a sentence each."""


class TopologyStatus(Model):
    """The revision that the pool holds, the live pods, every entry of it, and what holds it."""

    revision: Revision
    pods: list[PodStatus]
    entries: list[EntryStatus]
    storage: StorageStatus = Field(default_factory=StorageStatus)


def entry(manifest: dict[str, Any], uid: str) -> Entry:
    """From a manifest, with its defaults filled in, to its entry in the topology."""
    return Entry(kind=manifest["kind"], name=manifest["metadata"]["name"], uid=uid, spec=manifest["spec"])
