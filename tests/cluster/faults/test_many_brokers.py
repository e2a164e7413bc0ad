"""Three brokers, of which now one and now another is away, under a prober that counts what was lost and the order."""

import signal

from quintet_api.topology import TopologyStatus
from tests.cluster import client_pod
from tests.cluster.kubectl import TIMEOUT, Kubectl, until
from tests.cluster.many_brokers import BROKERS, POOL, names, node_of, topology, until_known
from tests.cluster.nodes import Nodes
from tests.cluster.processes import Processes

BETWEEN = 200
"""Messages that make the whole way between two faults."""
LOAD = ("--ordered", "--rate", "40")


def test_each_of_them_tells_the_same_of_all(three: Kubectl) -> None:
    told: list[TopologyStatus] = []

    def agreed() -> bool:
        """Some time after the last change: a shard on its way from one to another is nobody's."""
        told[:] = [topology(three, pod) for pod in names()]
        revisions = {pod.revision for one in told for pod in one.pods} | {one.revision for one in told}
        counted = all(entry.messages is not None for one in told for entry in one.entries)
        return len(revisions) == 1 and counted

    until(agreed, lambda: told)
    for one in told:
        assert sorted(pod.name for pod in one.pods) == names()
        assert [(entry.name, entry.state) for entry in one.entries] == [("orders", "Applied")]
    assert len({node_of(three, name) for name in names()}) > 1


def test_a_rolling_restart(three: Kubectl) -> None:
    before = {name: three.there("pod", name)["metadata"]["uid"] for name in names()}
    with client_pod.Prober(three, "orders", *LOAD) as prober:
        prober.progress(BETWEEN)
        three("rollout", "restart", f"statefulset/{POOL}")
        three("rollout", "status", f"statefulset/{POOL}", TIMEOUT)
        prober.progress(BETWEEN)
        prober.finish()
    assert not {name for name in names() if three.there("pod", name)["metadata"]["uid"] == before[name]}


def test_one_broker_and_three_again(three: Kubectl) -> None:
    with client_pod.Prober(three, "orders", *LOAD) as prober:
        for count in 1, BROKERS:
            prober.progress(BETWEEN)
            three("scale", "brokerpool", "default", f"--replicas={count}")
            until_known(three, names(count))
            three.ready("brokerpool", "default")
        prober.progress(BETWEEN)
        prober.finish()


def test_each_is_killed_and_then_deleted(three: Kubectl, processes: Processes) -> None:
    with client_pod.Prober(three, "orders", *LOAD) as prober:
        for name in names():
            prober.progress(BETWEEN)
            processes.signal(three.there("pod", name), "quintet_broker", signal.SIGKILL)
        for name in reversed(names()):
            prober.progress(BETWEEN)
            three("delete", "pod", name, "--grace-period=0", "--force")
        prober.progress(BETWEEN)
        prober.finish()


def test_an_owner_that_wakes_after_its_lease_changes_nothing(three: Kubectl, processes: Processes) -> None:
    """One of them has the queue, so it is paused too."""
    with client_pod.Prober(three, "orders", *LOAD) as prober:
        for name in names():
            prober.progress(BETWEEN)
            pod = three.there("pod", name)
            processes.signal(pod, "quintet_broker", signal.SIGSTOP)
            try:
                until_known(three, {*names()} - {name})
                prober.progress(BETWEEN)
            finally:
                processes.signal(pod, "quintet_broker", signal.SIGCONT)
            until_known(three, names())
        prober.finish()


def test_a_node_is_lost_and_comes_back(three: Kubectl, nodes: Nodes) -> None:
    """Not the one with Redis, whose volume is there."""
    placed = {name: node_of(three, name) for name in names()}
    lost = next(node for node in placed.values() if node != node_of(three, "client"))
    with client_pod.Prober(three, "orders", *LOAD) as prober:
        prober.progress(BETWEEN)
        with nodes.without(lost):
            until_known(three, [name for name in names() if placed[name] != lost])
            prober.progress(BETWEEN)
        prober.progress(BETWEEN)
        three.ready("brokerpool", "default")
        prober.progress(BETWEEN)
        prober.finish()
