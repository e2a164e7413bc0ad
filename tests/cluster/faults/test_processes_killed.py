"""Processes end at once, under a prober that counts what was lost."""

import signal

from tests.cluster import client_pod
from tests.cluster.kubectl import Kubectl
from tests.cluster.processes import Processes

BETWEEN = 200
"""Messages that make the whole way between two faults."""
VICTIMS = {"quintet_broker": "default-broker-pool-0", "redis-server": "default-broker-pool-redis-0"}


def test_killed_processes_lose_nothing(orders: Kubectl, processes: Processes) -> None:
    with client_pod.Prober(orders, "orders") as prober:
        for program, pod in VICTIMS.items():
            prober.progress(BETWEEN)
            processes.signal(orders.there("pod", pod), program, signal.SIGKILL)
        prober.progress(BETWEEN)
        prober.finish()
    orders.ready("queue", "orders")


def test_deleted_pods_lose_nothing_with_boto3(orders: Kubectl) -> None:
    with client_pod.Prober(orders, "orders", "--sqs") as prober:
        for pod in VICTIMS.values():
            prober.progress(BETWEEN)
            orders("delete", "pod", pod, "--grace-period=0", "--force")
        prober.progress(BETWEEN)
        prober.finish()
    orders.ready("queue", "orders")
