"""The operator ends, sleeps, or sees less than there is; messages go on, and nothing is undone."""

import contextlib
import json
import signal
from collections.abc import Iterator

import pytest

from quintet_api import names
from tests.cluster import client_pod
from tests.cluster.installed import LEASE, OPERATOR
from tests.cluster.kubectl import TIMEOUT, Kubectl, Manifest, Refused, until
from tests.cluster.processes import Processes
from tests.cluster.resources import pool, queue

BETWEEN = 100


def leader(system: Kubectl) -> Manifest:
    """The pod that holds the Lease, once it is one that is there."""
    until(lambda: _leaders(system), lambda: system.there("lease", LEASE))
    [pod] = _leaders(system)
    return pod


def _leaders(system: Kubectl) -> list[Manifest]:
    holder = system.there("lease", LEASE)["spec"].get("holderIdentity") or ""
    return [pod for pod in operators(system) if holder.startswith(pod["metadata"]["name"])]


def transitions(system: Kubectl) -> int:
    return int(system.there("lease", LEASE)["spec"]["leaseTransitions"])


def leads(system: Kubectl) -> bool:
    return bool(system.there("lease", LEASE)["spec"].get("holderIdentity"))


def restarts(system: Kubectl, pod: Manifest) -> int:
    found = system.there("pod", pod["metadata"]["name"])
    return sum(int(status["restartCount"]) for status in found["status"]["containerStatuses"])


def test_another_goes_on_where_the_leader_is_killed(orders: Kubectl, system: Kubectl, processes: Processes) -> None:
    with client_pod.Prober(orders, "orders") as prober:
        before = transitions(system)
        processes.signal(leader(system), "quintet_operator", signal.SIGKILL)
        orders.apply(queue("after"))
        orders.ready("queue", "after")
        assert transitions(system) > before
        prober.progress(BETWEEN)
        prober.finish()
    system("rollout", "status", f"deployment/{OPERATOR}", TIMEOUT)


def test_a_paused_leader_that_wakes_changes_nothing(orders: Kubectl, system: Kubectl, processes: Processes) -> None:
    before, paused = transitions(system), leader(system)
    ended = restarts(system, paused)
    processes.signal(paused, "quintet_operator", signal.SIGSTOP)
    # It has all this to do when it wakes, and by then it has been done and undone by another.
    orders.apply(queue("gone"), queue("stays"))
    until(lambda: transitions(system) > before and leads(system), lambda: system.there("lease", LEASE))
    orders.ready("queue", "stays")
    orders("delete", "queue", "gone")
    orders.gone("secret", "gone-queue")
    children = _versions(orders)
    with contextlib.suppress(Refused):
        # On a machine that was slow so far, Kubernetes may have ended it.
        processes.signal(paused, "quintet_operator", signal.SIGCONT)
    until(lambda: restarts(system, paused) > ended, lambda: system.there("pod", paused["metadata"]["name"]))
    assert _versions(orders) == children
    assert orders.get("secret", "gone-queue") is None
    orders.ready("queue", "stays")


def _versions(kubectl: Kubectl) -> dict[str, str]:
    """Of all children and of the pool: what nobody writes keeps it. Where there is a status, others write that at any
    time, and the generation tells the rest."""
    found = kubectl.list(
        "secrets,services,networkpolicies,poddisruptionbudgets,serviceaccounts,statefulsets,brokerpools"
    )
    return {f"{one['kind']}/{one['metadata']['name']}": _version(one["metadata"]) for one in found}


def _version(metadata: Manifest) -> str:
    return str(metadata.get("generation") or metadata["resourceVersion"])


@pytest.fixture
def blind(orders: Kubectl, system: Kubectl) -> Iterator[Kubectl]:
    """An operator that was started anew and may not see the queues."""
    [role] = [
        role
        for role in system.list("clusterroles", "--selector", "app.kubernetes.io/part-of=quintet")
        if role["metadata"]["name"] == OPERATOR
    ]
    seeing = json.dumps([{"op": "replace", "path": "/rules", "value": role["rules"]}])
    for rule in role["rules"]:
        if names.GROUP in rule["apiGroups"]:
            rule["resources"] = [name for name in rule["resources"] if name != "queues"] or ["nothing"]
    system("scale", "deployment", OPERATOR, "--replicas=0")
    until(lambda: not operators(system), lambda: operators(system))
    blinded = json.dumps([{"op": "replace", "path": "/rules", "value": role["rules"]}])
    system("patch", "clusterrole", OPERATOR, "--type=json", "--patch", blinded)
    system("scale", "deployment", OPERATOR, "--replicas=2")
    yield orders
    orders.delete("brokerpool", "other", "--ignore-not-found")
    system("patch", "clusterrole", OPERATOR, "--type=json", "--patch", seeing)
    system("rollout", "status", f"deployment/{OPERATOR}", TIMEOUT)


def operators(system: Kubectl) -> list[Manifest]:
    return system.list("pods", "--selector", "app.kubernetes.io/component=operator")


def test_an_index_that_is_incomplete_after_a_restart_closes_no_queue(
    request: pytest.FixtureRequest, orders: Kubectl, system: Kubectl
) -> None:
    with client_pod.Prober(orders, "orders") as prober:
        before = transitions(system)
        request.getfixturevalue("blind")
        until(lambda: transitions(system) > before and leads(system), lambda: system.there("lease", LEASE))
        # A pool that it does see is not made either: it acts on nothing before it has seen all.
        orders.apply(pool("other"))
        prober.progress(20 * BETWEEN)
        assert orders.there("brokerpool", "other")["status"]["conditions"][0]["reason"] == "Pending"
        prober.finish()
    assert orders.there("queue", "orders")


def test_it_goes_on_once_it_sees_all(shared: Kubectl) -> None:
    shared.apply(queue("more"))
    shared.ready("queue", "more", within=180)


def test_a_namespace_goes_away_while_there_is_no_operator(kubectl: Kubectl, system: Kubectl) -> None:
    kubectl.apply(pool("default"), queue("orders"))
    kubectl.ready("queue", "orders")
    system("scale", "deployment", OPERATOR, "--replicas=0")
    until(lambda: not operators(system), lambda: operators(system))
    try:
        kubectl("delete", "namespace", kubectl.namespace, "--wait=true", TIMEOUT)
    finally:
        system("scale", "deployment", OPERATOR, "--replicas=2")
        system("rollout", "status", f"deployment/{OPERATOR}", TIMEOUT)
