"""The ServiceAccount of a pool's pods: a name of their own, and no rights."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.metadata import Manifest, child_name, metadata


def service_account(pool: BrokerPool) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(pool, component="broker"),
        "automountServiceAccountToken": False,
    }


def service_account_name(pool: BrokerPool) -> str:
    return child_name(pool.kind, pool.metadata.name)
