"""Faults at random, of three brokers, their Redis and the operator, under probers on a Fifo and a Standard queue: 8, or
FAULTS_KILLS. With FAULTS_SEED the same are chosen again."""

import os
import random
import signal
import time

import pytest

from tests.cluster import client_pod
from tests.cluster.installed import OPERATOR, Cluster
from tests.cluster.kubectl import TIMEOUT, Kubectl, Manifest, Refused, until
from tests.cluster.many_brokers import REDIS, names
from tests.cluster.processes import Processes
from tests.cluster.resources import queue

FAULTS = int(os.environ.get("FAULTS_KILLS", "8"))
BETWEEN = 100
"""Messages that make the whole way through each queue, where a fault is waited for."""
NOT_WAITED_FOR = 0.4
"""So many of the faults, as a part of all: the next one comes while the system recovers."""
RATE = ("--rate", "20")
STOPPED = (0.5, 6.0)
"""Seconds, at least and at most: less than a lease, or more."""
KILLS = 2
"""How often a container is killed: Kubernetes starts it again at once, then after 10, 20, 40 seconds."""


class Faults:
    """Chosen at random, and printed."""

    def __init__(self, seed: int, pool: Kubectl, system: Kubectl, processes: Processes) -> None:
        print(f"FAULTS_SEED={seed}")
        self.random = random.Random(seed)
        self._system = system
        self._processes = processes
        brokers = [(pool, name, "quintet_broker") for name in names()]
        self._victims = [*brokers, (pool, REDIS, "redis-server"), (system, "", "quintet_operator")]

    def strike(self) -> None:
        verb = self.random.choice((self._kill, self._kill, self._stop, self._delete))
        kubectl, name, program = self.random.choice(self._victims)
        part = self.random.random()
        name = name or self._operator(part)
        print(f"{verb.__name__.strip('_')} {name}", flush=True)
        verb(kubectl, name, program, part)

    def _operator(self, part: float) -> str:
        """One of its pods."""
        found = sorted(pod["metadata"]["name"] for pod in operators(self._system))
        return str(found[int(part * len(found))])

    def _kill(self, kubectl: Kubectl, name: str, program: str, part: float) -> None:
        if restarts(kubectl.get("pod", name)) < KILLS:
            self._signal(kubectl, name, program, signal.SIGKILL)
        else:
            self._delete(kubectl, name, program, part)

    def _stop(self, kubectl: Kubectl, name: str, program: str, part: float) -> None:
        shortest, longest = STOPPED
        self._signal(kubectl, name, program, signal.SIGSTOP)
        time.sleep(shortest + part * (longest - shortest))
        self._signal(kubectl, name, program, signal.SIGCONT)

    def _delete(self, kubectl: Kubectl, name: str, program: str, part: float) -> None:
        kubectl.delete("pod", name, "--ignore-not-found", *(("--grace-period=0", "--force") if part < 0.5 else ()))

    def _signal(self, kubectl: Kubectl, name: str, program: str, number: int) -> None:
        """Once there is such a process: the fault before may have ended it."""

        def sent() -> bool:
            pod = kubectl.get("pod", name)
            # An operator that was deleted comes back under another name.
            if pod is None:
                return program == "quintet_operator"
            try:
                self._processes.signal(pod, program, number)
            except (Refused, KeyError):
                return False
            return True

        until(sent, lambda: kubectl.get("pod", name))


def operators(system: Kubectl) -> list[Manifest]:
    """Those that are there to stay; waits for one."""

    def found() -> list[Manifest]:
        pods = system.list("pods", "--selector", "app.kubernetes.io/component=operator")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    until(found, found)
    return found()


def restarts(pod: Manifest | None) -> int:
    statuses = ((pod or {}).get("status") or {}).get("containerStatuses", ())
    return sum(int(status["restartCount"]) for status in statuses)


@pytest.mark.timeout(300 + 120 * FAULTS, func_only=True)
def test_nothing_is_lost_and_no_order_is_broken(
    three: Kubectl, system: Kubectl, processes: Processes, cluster: Cluster
) -> None:
    three.apply(queue("parcels"))
    three.ready("queue", "parcels")
    node = three.there("pod", "client")["spec"]["nodeName"]
    client_pod.start(three, cluster.client_image, "parcels-queue", node=node, name="other-client")
    faults = Faults(int(os.environ.get("FAULTS_SEED", random.randrange(2**32))), three, system, processes)
    with (
        client_pod.Prober(three, "orders", "--ordered", *RATE) as ordered,
        client_pod.Prober(three, "parcels", *RATE, pod="other-client") as standard,
    ):
        for _ in range(FAULTS):
            faults.strike()
            if faults.random.random() >= NOT_WAITED_FOR:
                ordered.progress(BETWEEN)
                standard.progress(BETWEEN)
        for prober in ordered, standard:
            prober.progress(BETWEEN)
            prober.finish()
    three("delete", "queue", "parcels")
    system("rollout", "status", f"deployment/{OPERATOR}", TIMEOUT)
