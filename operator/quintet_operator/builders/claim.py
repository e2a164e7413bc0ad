"""The volume claim of the embedded Redis, which its StatefulSet makes and never changes."""

from quintet_api.broker_pool import BrokerPool
from quintet_api.common import format_bytes, parse_bytes
from quintet_operator.builders.metadata import Manifest, child_name, labels

VOLUME = "data"


def claim_name(pool: BrokerPool) -> str:
    """As the StatefulSet names it."""
    return f"{VOLUME}-{child_name(pool.kind, pool.metadata.name, 'redis')}-0"


def claim_template(pool: BrokerPool) -> Manifest:
    """With the size that the pool has now."""
    persistence = pool.spec.storage.persistence
    storage_class = {"storageClassName": persistence.storage_class} if persistence.storage_class else {}
    return {
        "metadata": {"name": VOLUME, "labels": labels(pool, "redis")},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": format_bytes(persistence.size)}},
        }
        | storage_class,
    }


def growth(pool: BrokerPool, claim: Manifest) -> Manifest | None:
    """What to merge into the claim so that it gets the pool's size; None where it is as large already."""
    size = pool.spec.storage.persistence.size
    try:
        there = parse_bytes(claim["spec"]["resources"]["requests"]["storage"])
    except ValueError:
        # A form or a size that no pool asks for: somebody else chose it.
        return None
    return {"spec": {"resources": {"requests": {"storage": format_bytes(size)}}}} if size > there else None
