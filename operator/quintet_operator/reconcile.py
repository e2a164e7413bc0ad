"""The one loop: observe → declare → build → apply → judge → write the status. It never acts on a difference."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from quintet_api import names
from quintet_api.broker_pool import BrokerPool
from quintet_api.common import Condition
from quintet_api.queue import Queue
from quintet_operator import resources
from quintet_operator.builders.metadata import Manifest
from quintet_operator.cluster import ApiError
from quintet_operator.context import Context
from quintet_operator.dispatch import TOPOLOGY
from quintet_operator.index import Key, leaves
from quintet_operator.kinds.broker_pool import BrokerPoolKind
from quintet_operator.kinds.queue import QueueKind
from quintet_operator.status.condition import Verdict, condition
from quintet_operator.status.ready import F, summed
from quintet_operator.work_queue import TryAgain

LOOK_AGAIN = 2.0
"""Seconds, until what was gone or changed is looked at again, should no event come."""

R = TypeVar("R", BrokerPool, Queue)


class Kind(Protocol[R, F]):
    """What differs between kinds. R: the resource, F: the facts about it."""

    @property
    def model(self) -> type[R]: ...

    @property
    def parts(self) -> Mapping[str, Callable[[F], Verdict]]:
        """What is told beside Ready, which sums up most of it, by the condition's type: causes before effects."""
        ...

    async def observe(self, resource: R, /) -> F | None:
        """Make the children what they should be, and tell what was found. Raises ApiError.

        None: it cannot be judged yet, and what it waits for leads here again.
        """
        ...

    def disabled(self, resource: R, /) -> F:
        """The facts where nothing may be touched."""
        ...

    def status(self, resource: R, facts: F, /) -> dict[str, Any]:
        """The status beside its conditions, by its fields' names in manifests; what is left out stays as it is."""
        ...

    def gone(self, place: Key, /) -> None:
        """Nothing is there any more, or it is about to go: its children follow by themselves."""
        ...


class Reconciler:
    """Makes what is under a key what it should be."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pools = BrokerPoolKind(context)
        self._queues = QueueKind(context)

    async def __call__(self, place: Key) -> None:
        """Raises TryAgain, LeaseLost."""
        try:
            if place.kind == TOPOLOGY:
                await self._context.topologies.reconcile(place)
            elif place.kind == "BrokerPool":
                await self._reconcile(self._pools, place)
            elif place.kind == "Queue":
                await self._reconcile(self._queues, place)
        except ApiError as error:
            if not error.passes:
                raise TryAgain(error.message) from error
            self._context.queue.add_after(place, LOOK_AGAIN)

    async def _reconcile(self, kind: Kind[R, F], place: Key) -> None:
        manifest = self._context.index.get(place)
        if manifest is None or leaves(manifest):
            kind.gone(place)
            return
        try:
            resource = resources.read(kind.model, manifest)
        except resources.Unreadable as error:
            await self._write(manifest, _unreadable(manifest, str(error)))
            return
        stopped = resources.disabled(manifest)
        facts = kind.disabled(resource) if stopped else await kind.observe(resource)
        if facts is None:
            return
        fields = {} if stopped else kind.status(resource, facts)
        generation = resource.metadata.generation
        conditions = summed(kind.parts, facts, resource.status.conditions, generation, datetime.now(UTC))
        await self._write(manifest, fields | _judged(conditions, generation))

    async def _write(self, manifest: Manifest, status: Mapping[str, Any]) -> None:
        """Merge into the status what is not there already."""
        held = manifest.get("status") or {}
        change = {name: value for name, value in status.items() if held.get(name) != value}
        if change:
            self._context.told(await self._context.cluster.merge(manifest, {"status": change}, "status"))


def _judged(conditions: Iterable[Condition], generation: int) -> dict[str, Any]:
    told = [condition.model_dump(mode="json", by_alias=True, exclude_none=True) for condition in conditions]
    return {"observedGeneration": generation, "conditions": told}


def _unreadable(manifest: Manifest, message: str) -> dict[str, Any]:
    """Of a spec that an API made which is not this one: nothing else is known of the object."""
    generation = manifest["metadata"]["generation"]
    old = [Condition.model_validate(held) for held in (manifest.get("status") or {}).get("conditions") or ()]
    before = next((held for held in old if held.type == names.READY), None)
    told = f"This operator does not know what the spec asks for: {message}"
    verdict = Verdict("False", names.INVALID_SPEC, told)
    return _judged([condition(names.READY, verdict, before, generation, datetime.now(UTC))], generation)
