"""What the operator would make of manifests, for those who ask before they apply them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field

from quintet_api import names
from quintet_api.broker_pool import BrokerPool, BrokerPoolSpec
from quintet_api.queue import Queue
from quintet_operator import resources
from quintet_operator.builders import credentials, external_redis
from quintet_operator.builders.children import KEPT, pool_children, queue_children
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.external_redis import ExternalRedis
from quintet_operator.builders.metadata import Manifest, child_name
from quintet_operator.builders.pod import CREDENTIALS_ANNOTATION
from quintet_operator.builders.refusal import refusal

UNKNOWN = "<known once it is applied>"
"""Stands for a uid, for what is generated, and for what follows from them."""
CHART = Defaults("quintet:0.1.0", "redis:7.2", "IfNotPresent")
"""The chart's own values."""

Place = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True)
class Planned:
    """An object, and its children as they should be."""

    manifest: Manifest
    children: list[Manifest] = field(default_factory=list)
    obsolete: list[Manifest] = field(default_factory=list)
    """Children that are there and would go."""
    note: str = ""
    """What else the operator would tell, such as why it makes none."""
    is_made: bool = False
    """Whether the operator makes the object itself."""


def plan(manifests: Sequence[Manifest], there: Sequence[Manifest] = ()) -> list[Planned]:
    """Of sound manifests with all defaults, each with a namespace: pools, then queues.

    `there`: what the cluster has of pools, queues, children and Secrets, as far as it is known.
    """
    return _Planner(manifests, there).run()


class _Planner:
    def __init__(self, manifests: Sequence[Manifest], there: Sequence[Manifest]) -> None:
        self._there = {place(one): one for one in there}
        self._asked = {place(one): one for one in manifests}
        self._defaults = _defaults(there)

    def run(self) -> list[Planned]:
        queues = [one for one in self._asked.values() if one["kind"] == "Queue"]
        pools = [one for one in self._asked.values() if one["kind"] == "BrokerPool"]
        made = {place(one): one for one in map(self._made_for, queues) if one}
        planned = [self._pool(one, is_made=place(one) in made) for one in [*pools, *made.values()]]
        return planned + [self._queue(one, made) for one in queues]

    def _made_for(self, queue: Manifest) -> Manifest | None:
        """The pool that the operator makes, should nobody else."""
        pool = ("BrokerPool", queue["metadata"]["namespace"], queue["spec"]["brokerPool"])
        if pool in self._asked or pool in self._there or pool[2] != names.DEFAULT_POOL:
            return None
        spec = BrokerPoolSpec().model_dump(mode="json", by_alias=True, exclude_none=True)
        metadata = {"name": pool[2], "namespace": pool[1]}
        return {"apiVersion": names.API_VERSION, "kind": "BrokerPool", "metadata": metadata, "spec": spec}

    def _pool(self, manifest: Manifest, *, is_made: bool) -> Planned:
        if resources.disabled(manifest):
            return Planned(manifest, note=_DISABLED)
        pool = self._read_pool(manifest)
        if refused := refusal(pool):
            return Planned(manifest, note=f"{refused.reason}: {refused.message}", is_made=is_made)
        held = self._credentials(pool)
        redis = self._there.get(
            ("StatefulSet", pool.metadata.namespace, child_name(pool.kind, pool.metadata.name, "redis"))
        )
        external, note = self._external(pool)
        children = [
            credentials.secret(pool, held),
            *pool_children(pool, held, self._defaults, redis=redis, external=external),
        ]
        # What the pods follow is a hash of secrets; of what is not known there is none.
        if held == _GENERATED or note:
            children = [_without_digest(child) for child in children]
        return Planned(manifest, children, self._obsolete(pool, children), note, is_made)

    def _queue(self, manifest: Manifest, made: dict[Place, Manifest]) -> Planned:
        if resources.disabled(manifest):
            return Planned(manifest, note=_DISABLED)
        queue = Queue.model_validate(self._with_uid(manifest))
        at = ("BrokerPool", queue.metadata.namespace, queue.spec.broker_pool)
        found = self._asked.get(at) or made.get(at) or self._there.get(at)
        if found is None:
            note = f"{names.BROKER_POOL_NOT_FOUND}: there is no BrokerPool {queue.spec.broker_pool}"
            return Planned(manifest, note=note)
        pool = self._read_pool(found)
        return Planned(manifest, queue_children(queue, pool, self._credentials(pool)))

    def _read_pool(self, manifest: Manifest) -> BrokerPool:
        return BrokerPool.model_validate(self._with_uid(manifest))

    def _with_uid(self, manifest: Manifest) -> Manifest:
        held = self._there.get(place(manifest), manifest)
        known = {part: manifest[part] for part in ("apiVersion", "kind", "spec")}
        return known | {"metadata": manifest["metadata"] | {"uid": held["metadata"].get("uid", UNKNOWN)}}

    def _credentials(self, pool: BrokerPool) -> Credentials:
        found = self._there.get(("Secret", pool.metadata.namespace, credentials.secret_name(pool)))
        return (credentials.from_secret(found) if found else None) or _GENERATED

    def _external(self, pool: BrokerPool) -> tuple[ExternalRedis | None, str]:
        """What the Secret of an external Redis says, or why that is not known."""
        if pool.spec.storage.external is None:
            return None, ""
        name = pool.spec.storage.external.secret_ref.name
        found = self._there.get(("Secret", pool.metadata.namespace, name))
        told = external_redis.read(found) if found else None
        if told is None:
            return None, f"{names.SECRET_NOT_FOUND}: brokers start once there is a Secret {name} with a url"
        return told, f"{names.INVALID_URL}: {told.fault}" if told.fault else ""

    def _obsolete(self, pool: BrokerPool, children: Iterable[Manifest]) -> list[Manifest]:
        wanted = set(map(place, children))
        return [
            found
            for at, found in self._there.items()
            if at not in wanted and found["kind"] not in KEPT and _is_child(found, pool)
        ]


_DISABLED = f"{names.RECONCILE_DISABLED}: an annotation keeps the operator from it"
_GENERATED = Credentials(UNKNOWN, UNKNOWN, UNKNOWN)


def place(manifest: Manifest) -> Place:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata["namespace"], metadata["name"]


def without_secrets(child: Manifest) -> Manifest:
    """A Secret with its keys and none of its content; any other child as it is."""
    if child["kind"] != "Secret":
        return child
    return child | {"data": dict.fromkeys(child.get("data") or {}, UNKNOWN)}


def _is_child(found: Manifest, pool: BrokerPool) -> bool:
    references = found["metadata"].get("ownerReferences") or ()
    return any(one.get("controller") and one["uid"] == pool.metadata.uid for one in references)


def _without_digest(child: Manifest) -> Manifest:
    if child["kind"] != "StatefulSet":
        return child
    template = child["spec"]["template"]
    annotations = template["metadata"]["annotations"] | {CREDENTIALS_ANNOTATION: UNKNOWN}
    metadata = template["metadata"] | {"annotations": annotations}
    return child | {"spec": child["spec"] | {"template": template | {"metadata": metadata}}}


def _defaults(there: Iterable[Manifest]) -> Defaults:
    """As the workloads that are there tell them, which the operator's settings made; else the chart's."""
    found = list(there)
    own = {place(pool)[1:] for pool in found if pool["kind"] == "BrokerPool" and not pool["spec"].get("image")}
    broker, redis, policy, secrets = astuple(CHART)
    for workload in found:
        if workload["kind"] == "StatefulSet":
            metadata, pod = workload["metadata"], workload["spec"]["template"]["spec"]
            [container] = [one for one in pod["containers"] if one["name"] in ("broker", "redis")][:1] or [{}]
            policy = container.get("imagePullPolicy", policy)
            if container.get("name") == "redis":
                redis = container["image"]
                secrets = tuple(one["name"] for one in pod.get("imagePullSecrets") or ())
            elif container and (metadata["namespace"], metadata["labels"].get(names.NAME_LABEL)) in own:
                broker = container["image"]
    return Defaults(broker, redis, policy, secrets)
