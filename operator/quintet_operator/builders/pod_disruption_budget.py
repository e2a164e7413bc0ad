"""The PodDisruptionBudget of the brokers: a drain takes one at a time."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.metadata import Manifest, metadata, selector


def pod_disruption_budget(pool: BrokerPool) -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(pool, component="broker"),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector(pool, "broker")},
            # A broker that serves nobody must not keep a node from being drained.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
