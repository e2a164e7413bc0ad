"""A Queue: an entry of its pool's topology, and a Secret with what a client needs."""

from typing import Any

from quintet_api import names
from quintet_api.broker_pool import BrokerPool
from quintet_api.queue import Queue
from quintet_operator import resources
from quintet_operator.apply import Applied, whose
from quintet_operator.builders import addresses
from quintet_operator.builders.binding_secret import binding_name
from quintet_operator.builders.children import queue_children
from quintet_operator.builders.metadata import Manifest
from quintet_operator.cluster import KINDS, ApiError
from quintet_operator.context import Context
from quintet_operator.index import Key, place
from quintet_operator.status import queue as status
from quintet_operator.status.facts import QueueFacts

POOL_AWAITED = 5.0
"""Seconds that others have to apply the pool `default` before it is made."""
COUNTED_EVERY = 30.0
"""Seconds, at least, from one writing of an object's counts to the next."""


class QueueKind:
    """See reconcile.Kind."""

    model = Queue
    parts = status.PARTS

    def __init__(self, context: Context) -> None:
        self._context = context
        self._missing_since: dict[Key, float] = {}
        """When a queue was first seen without the pool `default`."""
        self._counted_at: dict[Key, float] = {}
        """When a queue's counts were last told."""

    async def observe(self, queue: Queue) -> QueueFacts | None:
        found = self._context.index.get(pool_place(queue))
        if found is None:
            awaited = await self._await_pool(queue, pool_place(queue))
            return QueueFacts(queue.spec.broker_pool, pool_awaited=awaited, bound=self._bound(queue))
        self._missing_since.pop(place(queue), None)
        try:
            return await self._in_pool(queue, resources.read(BrokerPool, found))
        except resources.Unreadable:
            # The pool's own conditions say so.
            return QueueFacts(queue.spec.broker_pool, pool_found=True, bound=self._bound(queue))

    async def _in_pool(self, queue: Queue, pool: BrokerPool) -> QueueFacts | None:
        applied, bound = Applied(), False
        if credentials := self._context.keyring.of(pool):
            made = [
                await self._context.applier.apply(queue, child, applied)
                for child in queue_children(queue, pool, credentials)
            ]
            bound = all(child is not None for child in made)
        if applied.look_again:
            self._context.queue.add_after(place(queue), applied.look_again)
        if not self._context.topologies.asked(pool_place(queue)):
            return None
        answer = self._context.topologies.answer(pool_place(queue))
        return QueueFacts(
            queue.spec.broker_pool,
            refusal=applied.refusal,
            name_taken=applied.taken,
            pool_found=True,
            pool_conditions=pool.status.conditions,
            url=addresses.queue_url(pool, queue),
            entry=answer.entry(queue.metadata.uid, self._spec(queue)),
            broker_error=answer.error,
            bound=bound,
        )

    def disabled(self, queue: Queue) -> QueueFacts:
        return QueueFacts(queue.spec.broker_pool, disabled=True)

    def status(self, queue: Queue, facts: QueueFacts) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if facts.url:
            # Also the mark of a queue that had a pool: it gets no other by itself.
            made["url"] = facts.url
        if facts.pool_found:
            made["binding"] = {"name": binding_name(queue)} if facts.bound else None
        counts = facts.entry.messages if facts.entry else None
        if counts is not None and counts != queue.status.messages and self._may_count(queue):
            made["messages"] = counts.model_dump(mode="json", by_alias=True)
        return made

    def gone(self, place: Key) -> None:
        self._counted_at.pop(place, None)
        self._missing_since.pop(place, None)

    # The pool

    async def _await_pool(self, queue: Queue, pool: Key) -> bool:
        """Whether the missing pool is about to be made. Makes it when others had their time. Raises ApiError."""
        if pool.name != names.DEFAULT_POOL or queue.status.url is not None:
            return False
        now = self._context.clock()
        left = self._missing_since.setdefault(place(queue), now) + POOL_AWAITED - now
        if left > 0:
            self._context.queue.add_after(place(queue), left)
            return True
        await self._make_pool(pool)
        return True

    async def _make_pool(self, pool: Key) -> None:
        """Empty of spec, so that the defaults hold, and nobody's: it stays until somebody deletes it."""
        manifest: Manifest = {
            "apiVersion": KINDS[pool.kind].api_version,
            "kind": pool.kind,
            "metadata": {"name": pool.name, "namespace": pool.namespace},
        }
        try:
            self._context.told(await self._context.cluster.create(manifest))
        except ApiError as error:
            if not error.passes:
                raise

    # What is known of the queue

    def _bound(self, queue: Queue) -> bool:
        secret = self._context.index.get(Key("Secret", queue.metadata.namespace, binding_name(queue)))
        return whose(queue, secret) == "ours"

    def _spec(self, queue: Queue) -> Manifest:
        """As the API server has it, and so the document."""
        found = self._context.index.get(place(queue))
        return dict(found["spec"]) if found else {}

    def _may_count(self, queue: Queue) -> bool:
        now, here = self._context.clock(), place(queue)
        left = self._counted_at.get(here, float("-inf")) + COUNTED_EVERY - now
        if left > 0:
            self._context.queue.add_after(here, left)
            return False
        self._counted_at[here] = now
        return True


def pool_place(queue: Queue) -> Key:
    return Key("BrokerPool", queue.metadata.namespace, queue.spec.broker_pool)
