"""What exists, as Kubernetes would tell it: each object with metadata, spec and status."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from quintet.embedded.declared import Pool, identifier, place
from quintet.embedded.state import Identity
from quintet.wire import QueueInfo
from quintet_api import names
from quintet_api.broker_pool import BrokerPoolSpec
from quintet_api.queue import sqs_name
from quintet_api.validation import Manifest

SOURCE = f"{names.GROUP}/source"
"""Annotation: the file and line that declare the object, `apply`, or `run time`."""

Object = dict[str, Any]


def objects(
    pool: Pool,
    manifests: Iterable[Manifest],
    applied: Iterable[str],
    identities: Mapping[str, Identity],
    queues: Iterable[QueueInfo],
    queue_urls: str,
    replicas: Mapping[str, int],
) -> list[Object]:
    """All pools and queues; `queues` is what the broker tells, `applied` names what came by `quintet apply`.

    `replicas` is what a pool's status tells of its brokers.
    """
    applied = set(applied)
    told = {queue.name: queue for queue in queues}
    declared = []
    for manifest in manifests:
        name = identifier(manifest)
        source = "apply" if name in applied else place(manifest)
        queue = told.pop(manifest.name, None) if manifest.kind == "Queue" else None
        declared.append(_object(manifest.body, pool, identities[name], source, queue))
    run_time = [_run_time(queue, pool) for queue in told.values()]
    pools = [one for one in declared if one["kind"] == "BrokerPool"] or [_pool(pool)]
    found = [one for one in declared if one["kind"] == "Queue"] + run_time
    for one in found:
        one["status"]["url"] = f"{queue_urls}/{sqs_name(one['metadata']['name'], one['spec']['ordering'])}"
    for one in pools:
        one["status"] |= {**replicas, "objects": len(found)}
    return pools + sorted(found, key=lambda one: str(one["metadata"]["name"]))


def _object(body: Object, pool: Pool, identity: Identity | None, source: str, queue: QueueInfo | None = None) -> Object:
    metadata = body["metadata"] | {"namespace": pool.namespace}
    if identity:
        metadata |= {"uid": identity.uid, "creationTimestamp": identity.created}
    metadata["annotations"] = body["metadata"].get("annotations", {}) | {SOURCE: source}
    status: Object = {"conditions": [{"type": names.READY, "status": "True", "reason": names.READY}]}
    if queue:
        status["messages"] = msgspec.to_builtins(queue.counts)
        if queue.active_consumer is not None:
            status["activeConsumer"] = queue.active_consumer
    return {
        "apiVersion": names.API_VERSION,
        "kind": body["kind"],
        "metadata": metadata,
        "spec": body["spec"],
        "status": status,
    }


def _run_time(queue: QueueInfo, pool: Pool) -> Object:
    created = datetime.fromtimestamp(queue.created_at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"kind": "Queue", "metadata": {"name": queue.name, "creationTimestamp": created}, "spec": queue.spec}
    return _object(body, pool, None, "run time", queue)


def _pool(pool: Pool) -> Object:
    """The pool that nobody declared."""
    spec = BrokerPoolSpec().model_dump(mode="json", by_alias=True, exclude_none=True) | {"account": pool.account}
    return _object({"kind": "BrokerPool", "metadata": {"name": pool.name}, "spec": spec}, pool, None, "default")
