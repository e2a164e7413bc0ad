"""A BrokerPool: Redis, brokers, and all that belongs to them."""

from typing import Any

from quintet_api.broker_pool import BrokerPool
from quintet_operator.apply import Applied, title, whose
from quintet_operator.builders import addresses, claim, external_redis
from quintet_operator.builders.children import KEPT, pool_children
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.external_redis import ExternalRedis
from quintet_operator.builders.metadata import Manifest, child_name, selector_text
from quintet_operator.builders.refusal import Refusal, refusal
from quintet_operator.cluster import ApiError
from quintet_operator.context import Context
from quintet_operator.dispatch import topology_of
from quintet_operator.index import Key, key, leaves, place
from quintet_operator.status import pool as status
from quintet_operator.status.facts import PoolFacts
from quintet_operator.status.workload import state

LOOK_AGAIN = 5.0
"""Seconds, until a pool is looked at again that is not ready: its pods are not watched."""
READ_SECRET_EVERY = 30.0
"""Seconds, for the Secret of an external Redis, which is not watched."""


class BrokerPoolKind:
    """See reconcile.Kind."""

    model = BrokerPool
    parts = status.PARTS

    def __init__(self, context: Context) -> None:
        self._context = context

    async def observe(self, pool: BrokerPool) -> PoolFacts | None:
        applied, external, small = Applied(), await self._external(pool), ""
        refused = refusal(pool)
        if refused is None and (credentials := await self._context.keyring.ensure(pool, applied)):
            await self._apply(pool, credentials, external, applied)
            small = await self._grow(pool)
        if not self._context.topologies.asked(place(pool)):
            return None
        return await self._facts(pool, applied, refused or applied.refusal, external, small)

    async def _apply(
        self, pool: BrokerPool, credentials: Credentials, external: ExternalRedis | None, applied: Applied
    ) -> None:
        redis = self._workload(pool, "redis")
        children = pool_children(pool, credentials, self._context.defaults, redis=redis, external=external)
        for child in children:
            if not await self._held_back(pool, child, external):
                await self._context.applier.apply(pool, child, applied)
        if applied.whole:
            await self._context.applier.remove_obsolete(pool, children, kept=KEPT)

    async def _held_back(self, pool: BrokerPool, child: Manifest, external: ExternalRedis | None) -> bool:
        """Whether to leave a StatefulSet as it is for now. Raises ApiError."""
        if child["kind"] != "StatefulSet":
            return False
        if pool.spec.storage.external and (external is None or external.fault):
            # Brokers would find no Redis at all.
            return True
        if whose(pool, self._context.index.get(key(child))) != "ours":
            return False
        if self._redis_changes(pool, child):
            return True
        if not await self._context.applier.replaces_pods(child) or self._context.rollouts.may_begin(place(pool)):
            return False
        self._context.queue.add_after(place(pool), LOOK_AGAIN)
        return True

    def _redis_changes(self, pool: BrokerPool, child: Manifest) -> bool:
        """Brokers that run are not changed while Redis is."""
        redis = self._workload(pool, "redis")
        return redis is not None and title(redis) != title(child) and state(redis) != "Ready"

    async def _grow(self, pool: BrokerPool) -> str:
        """A StatefulSet never changes the volumes that it made. Returns why it does not grow; empty where it does.

        Raises ApiError.
        """
        held = self._context.index.get(Key("PersistentVolumeClaim", pool.metadata.namespace, claim.claim_name(pool)))
        change = claim.growth(pool, held) if held and not leaves(held) else None
        if held is None or change is None or (held.get("status") or {}).get("phase") != "Bound":
            return ""
        try:
            self._context.told(await self._context.cluster.merge(held, change))
        except ApiError as error:
            if not error.refuses:
                raise
            return error.message
        return ""

    async def _external(self, pool: BrokerPool) -> ExternalRedis | None:
        """What the Secret of an external Redis says; None where it says nothing. Raises ApiError."""
        if pool.spec.storage.external is None:
            return None
        self._context.queue.add_after(place(pool), READ_SECRET_EVERY)
        name = pool.spec.storage.external.secret_ref.name
        secret = await self._context.cluster.get("Secret", pool.metadata.namespace, name)
        return external_redis.read(secret) if secret else None

    async def _facts(
        self, pool: BrokerPool, applied: Applied, refused: Refusal | None, found: ExternalRedis | None, small: str
    ) -> PoolFacts:
        storage, brokers = self._workload(pool, "redis"), self._workload(pool)
        answer = self._context.topologies.answer(place(pool))
        external = pool.spec.storage.external
        serves = state(brokers) == "Ready" and (external or state(storage) == "Ready")
        if serves:
            self._context.rollouts.ended(place(pool))
        if applied.look_again or not serves:
            self._context.queue.add_after(place(pool), applied.look_again or LOOK_AGAIN)
        return PoolFacts(
            refusal=refused,
            name_taken=applied.taken,
            storage=storage,
            storage_pods=await self._pods(pool, "redis", storage),
            volume_refusal=small,
            external=external.secret_ref.name if external else "",
            external_missing=external is not None and found is None,
            external_fault=found.fault if found else "",
            brokers=brokers,
            broker_pods=await self._pods(pool, "broker", brokers),
            topology=answer.status,
            revision=answer.revision,
            broker_error=answer.error,
        )

    def _workload(self, pool: BrokerPool, part: str = "") -> Manifest | None:
        """The pool's own StatefulSet."""
        name = child_name(pool.kind, pool.metadata.name, part)
        found = self._context.index.get(Key("StatefulSet", pool.metadata.namespace, name))
        return found if whose(pool, found) == "ours" else None

    async def _pods(self, pool: BrokerPool, component: str, workload: Manifest | None) -> list[Manifest]:
        """Of a StatefulSet that is not ready, to tell why."""
        if workload is None or state(workload) == "Ready":
            return []
        return await self._context.cluster.list("Pod", pool.metadata.namespace, selector_text(pool, component))

    def disabled(self, pool: BrokerPool) -> PoolFacts:
        return PoolFacts(disabled=True)

    def status(self, pool: BrokerPool, facts: PoolFacts) -> dict[str, Any]:
        counted = ((facts.brokers or {}).get("status")) or {}
        return {
            "replicas": counted.get("replicas", 0),
            "readyReplicas": counted.get("readyReplicas", 0),
            "selector": selector_text(pool, "broker"),
            "objects": len(self._context.index.queues(place(pool))),
            "url": addresses.url(pool),
        }

    def gone(self, pool: Key) -> None:
        """What waits for it may go on."""
        self._context.rollouts.ended(pool)
        self._context.keyring.prune()
        self._context.queue.add(topology_of(pool))
        for queue in self._context.index.queues(pool):
            self._context.queue.add(queue)
