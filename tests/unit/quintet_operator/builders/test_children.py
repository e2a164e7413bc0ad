"""What holds for all children of an object."""

from typing import Any

import pytest

from quintet_operator.builders import credentials
from quintet_operator.builders.children import pool_children, queue_children
from quintet_operator.builders.metadata import Manifest
from tests.unit.quintet_operator.objects import CREDENTIALS, DEFAULTS, EXTERNAL, pool, queue

OUTER = [{"name": "outside", "type": "LoadBalancer"}, {"name": "inside"}, {"name": "nodes", "type": "NodePort"}]
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "external": {"storage": EXTERNAL},
    "listeners": {"listeners": OUTER},
}


def children(name: str = "default", **spec: Any) -> list[Manifest]:
    return pool_children(pool(name, **spec), CREDENTIALS, DEFAULTS)


def places(manifests: list[Manifest]) -> list[str]:
    return [f"{manifest['kind']}/{manifest['metadata']['name']}" for manifest in manifests]


def workloads(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Pod templates by component."""
    sets = [manifest for manifest in manifests if manifest["kind"] == "StatefulSet"]
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"] for one in sets}


def test_they_come_in_the_order_in_which_they_need_each_other() -> None:
    assert places(children()) == [
        "ServiceAccount/default-broker-pool",
        "NetworkPolicy/default-broker-pool",
        "NetworkPolicy/default-broker-pool-redis",
        "PodDisruptionBudget/default-broker-pool",
        "Service/default-broker-pool-redis",
        "Service/default-broker-pool-pods",
        "Service/default-broker-pool",
        "StatefulSet/default-broker-pool-redis",
        "StatefulSet/default-broker-pool",
    ]


def test_an_external_redis_gets_none() -> None:
    assert not [place for place in places(children(storage=EXTERNAL)) if place.endswith("-redis")]


def test_a_listener_to_the_outside_gets_a_service_of_its_type() -> None:
    made = children(listeners=OUTER)[-2:]
    assert places(made) == ["Service/default-broker-pool-outside", "Service/default-broker-pool-nodes"]
    assert [service["spec"]["type"] for service in made] == ["LoadBalancer", "NodePort"]


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=list(VARIANTS))
def test_each_is_found_by_its_labels_and_goes_with_its_owner(spec: dict[str, Any]) -> None:
    for child in children(**spec):
        labels, [owner] = child["metadata"]["labels"], child["metadata"]["ownerReferences"]
        assert labels["app.kubernetes.io/managed-by"] == "quintet"
        assert (labels["quintet.dev/kind"], labels["quintet.dev/name"]) == ("BrokerPool", "default")
        assert labels["quintet.dev/pool"] == "default"
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("BrokerPool", "uid-of-pool", True)
        assert child["metadata"]["namespace"] == "shop"


def test_the_longest_name_of_a_pool_leaves_room() -> None:
    """63 characters for names and label values, in which a StatefulSet's pods have 11 more than its name."""
    made = children("a" * 34, listeners=[{"name": "o" * 16, "type": "NodePort"}])
    assert max(len(child["metadata"]["name"]) for child in made) == 63
    assert max(len(child["metadata"]["name"]) for child in made if child["kind"] == "StatefulSet") + 11 <= 63
    assert len(set(places(made))) == len(made)


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=list(VARIANTS))
def test_what_selects_pods_selects_those_of_one_component(spec: dict[str, Any]) -> None:
    made = children(**spec)
    for child in made:
        if found := _selector(child):
            part = child["metadata"]["labels"]["app.kubernetes.io/component"]
            wanted = "broker" if part == "listener" else part
            picked = [
                name for name, pod in workloads(made).items() if found.items() <= pod["metadata"]["labels"].items()
            ]
            assert picked == [wanted], places([child])


def _selector(child: Manifest) -> dict[str, str]:
    spec = child.get("spec", {})
    found: Manifest = spec.get("podSelector") or spec.get("selector") or {}
    labels: dict[str, str] = found.get("matchLabels", found)
    return labels


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=list(VARIANTS))
def test_the_ports_of_services_are_those_of_their_pods(spec: dict[str, Any]) -> None:
    made = children(**spec)
    services = [child for child in made if child["kind"] == "Service"]
    assert services
    for service in services:
        pod = workloads(made)[service["spec"]["selector"]["app.kubernetes.io/component"]]
        ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]


def test_each_stateful_set_names_a_service_that_is_there() -> None:
    made = children()
    for child in made:
        if child["kind"] == "StatefulSet":
            assert f"Service/{child['spec']['serviceName']}" in places(made)


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=list(VARIANTS))
def test_pods_run_as_an_ordinary_user_and_within_bounds(spec: dict[str, Any]) -> None:
    for pod in workloads(children(**spec)).values():
        assert pod["spec"]["automountServiceAccountToken"] is pod["spec"]["enableServiceLinks"] is False
        security = pod["spec"]["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, 10001, 10001)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        [container] = pod["spec"]["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert container["resources"]["limits"]["memory"]
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert pod["spec"]["serviceAccountName"] == "default-broker-pool"


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=list(VARIANTS))
def test_what_pods_take_from_secrets_is_there(spec: dict[str, Any]) -> None:
    keys = credentials.secret(pool(**spec), CREDENTIALS)["data"].keys()
    for pod in workloads(children(**spec)).values():
        [held] = [volume["secret"] for volume in pod["spec"]["volumes"] if volume["name"] == "credentials"]
        assert held["secretName"] == "default-broker-pool-credentials"
        assert {item["key"] for item in held["items"]} <= keys
        [container] = pod["spec"]["containers"]
        for variable in container.get("env", ()):
            taken = variable.get("valueFrom", {}).get("secretKeyRef")
            assert not taken or (taken["name"] == "our-redis" or taken["key"] in keys)


def test_a_queue_gets_a_binding_that_goes_with_it() -> None:
    [binding] = queue_children(queue(brokerPool="fast"), pool("fast"), CREDENTIALS)
    labels, [owner] = binding["metadata"]["labels"], binding["metadata"]["ownerReferences"]
    assert (labels["quintet.dev/kind"], labels["quintet.dev/name"]) == ("Queue", "orders")
    assert labels["quintet.dev/pool"] == "fast"
    assert owner["uid"] == "uid-of-queue"
