"""Processes end at once, again and again, under a prober that counts what was lost."""

import signal

import pytest

from tests.cluster import client_pod
from tests.cluster.kubectl import Kubectl
from tests.cluster.processes import Processes

KILLS = 2
BETWEEN = 200
"""Messages that make the whole way between two kills."""
VICTIMS = {"quintet_broker": "default-broker-pool-0", "redis-server": "default-broker-pool-redis-0"}


@pytest.mark.parametrize("program", VICTIMS)
def test_a_killed_process_loses_nothing(program: str, orders: Kubectl, processes: Processes) -> None:
    with client_pod.Prober(orders, "orders") as prober:
        for _ in range(KILLS):
            prober.progress(BETWEEN)
            processes.signal(orders.there("pod", VICTIMS[program]), program, signal.SIGKILL)
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
