"""Three brokers, of which now one and now another is away, under a prober that counts what was lost and the order."""

import signal
from collections.abc import Iterable, Iterator

import pytest

from quintet_api.topology import TopologyStatus
from tests.cluster import client_pod
from tests.cluster.installed import Cluster
from tests.cluster.kubectl import Kubectl, Refused, until
from tests.cluster.nodes import Nodes
from tests.cluster.processes import Processes

POOL = "default-broker-pool"
BROKERS = 3
BETWEEN = 200
"""Messages that make the whole way between two faults."""
LOAD = ("--ordered", "--rate", "40")
ASK = """
import urllib.request
headers = {"Authorization": "Bearer " + open("/etc/quintet/admin-token").read()}
request = urllib.request.Request("http://localhost:9401/admin/v1/topology", headers=headers)
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


@pytest.fixture(scope="module")
def pool_of_three(cluster: Cluster) -> Iterator[Kubectl]:
    with cluster.namespace() as made:
        client_pod.furnish(made, cluster.client_image, "Fifo", replicas=BROKERS)
        yield made


@pytest.fixture
def three(pool_of_three: Kubectl) -> Kubectl:
    """Brokers that are ready, and their queue `orders`, which promises order."""
    pool_of_three.ready("brokerpool", "default")
    pool_of_three.ready("queue", "orders")
    return pool_of_three


def names(count: int = BROKERS) -> list[str]:
    return [f"{POOL}-{number}" for number in range(count)]


def topology(kubectl: Kubectl, pod: str) -> TopologyStatus:
    """As that broker tells it."""
    return TopologyStatus.model_validate_json(kubectl("exec", pod, "--", "python", "-c", ASK))


def until_known(kubectl: Kubectl, wanted: Iterable[str]) -> None:
    """Wait until these brokers, and no others, are what one of them knows."""
    known = sorted(wanted)
    until(lambda: listed(kubectl, known[0]) == known, lambda: listed(kubectl, known[0]))


def listed(kubectl: Kubectl, pod: str) -> list[str]:
    """None while it says nothing."""
    try:
        return sorted(found.name for found in topology(kubectl, pod).pods)
    except Refused:
        return []


def node_of(kubectl: Kubectl, pod: str) -> str:
    return str(kubectl.there("pod", pod)["spec"]["nodeName"])


def test_each_of_them_tells_the_same_of_all(three: Kubectl) -> None:
    told = [topology(three, pod) for pod in names()]
    for one in told:
        assert sorted(pod.name for pod in one.pods) == names()
        assert {pod.revision for pod in one.pods} == {one.revision} == {told[0].revision}
        assert [(entry.name, entry.state) for entry in one.entries] == [("orders", "Applied")]
        assert all(entry.messages is not None for entry in one.entries)
    assert len({node_of(three, name) for name in names()}) > 1


def test_a_rolling_restart(three: Kubectl) -> None:
    before = {name: three.there("pod", name)["metadata"]["uid"] for name in names()}
    since = became_ready(three)
    with client_pod.Prober(three, "orders", *LOAD) as prober:
        prober.progress(BETWEEN)
        three("rollout", "restart", f"statefulset/{POOL}")
        three("rollout", "status", f"statefulset/{POOL}", "--timeout=55s")
        prober.progress(BETWEEN)
        prober.finish()
    assert not {name for name in names() if three.there("pod", name)["metadata"]["uid"] == before[name]}
    assert became_ready(three) == since


def became_ready(kubectl: Kubectl) -> str:
    """When the queue did, which somebody serves all the time."""
    [ready] = [one for one in kubectl.there("queue", "orders")["status"]["conditions"] if one["type"] == "Ready"]
    assert ready["status"] == "True", ready
    return str(ready["lastTransitionTime"])


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
        three.ready("brokerpool", "default", within=180)
        prober.progress(BETWEEN)
        prober.finish()
