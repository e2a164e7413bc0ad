"""What the operator would make, told before."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import yaml

from quintet_api import crd
from quintet_operator.builders import credentials
from quintet_operator.builders.children import pool_children, queue_children
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.metadata import Manifest
from quintet_operator.plan import CHART, UNKNOWN, Planned, plan, without_secrets
from tests.unit.quintet_operator import objects

HELD = Credentials("password", "master", "token")
OURS = Defaults("ours:1", "our-redis:7", "Always", ("registry",))


def manifest(kind: str, name: str, spec: dict[str, Any] | None = None, **metadata: Any) -> Manifest:
    given = {"apiVersion": "quintet.dev/v1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec or {}}
    found, faults = crd.kinds()[kind].check(given)
    assert not faults
    return found | {"metadata": {"namespace": "shop", **found["metadata"]}}


def named(planned: Planned) -> list[str]:
    return [f"{child['kind']}/{child['metadata']['name']}" for child in planned.children]


def there(**spec: Any) -> list[Manifest]:
    """A pool and all its children, as the operator made them."""
    pool = objects.pool(**spec)
    held = {"metadata": {"name": pool.metadata.name, "namespace": "shop", "uid": pool.metadata.uid}}
    return [
        manifest("BrokerPool", pool.metadata.name, spec) | held,
        credentials.secret(pool, HELD),
        *pool_children(pool, HELD, OURS),
    ]


def test_a_queue_alone_has_a_pool_made_for_it() -> None:
    pool, queue = plan([manifest("Queue", "orders")])
    assert (pool.is_made, pool.manifest["metadata"]["name"], queue.is_made) == (True, "default", False)
    assert "StatefulSet/default-broker-pool-redis" in named(pool)
    assert named(pool)[0] == "Secret/default-broker-pool-credentials"
    assert named(queue) == ["Secret/orders-queue"]
    assert UNKNOWN in pool.children[-1]["metadata"]["ownerReferences"][0]["uid"]


def test_the_children_are_those_that_the_operator_makes() -> None:
    pool, queue = plan([manifest("BrokerPool", "default", {"replicas": 3}), manifest("Queue", "orders")], there())
    made = objects.pool(replicas=3)
    assert pool.children == [credentials.secret(made, HELD), *pool_children(made, HELD, OURS)]
    assert not pool.is_made
    assert queue.children[0]["data"] == queue_children(objects.queue(), made, HELD)[0]["data"]
    assert set(without_secrets(queue.children[0])["data"].values()) == {UNKNOWN}


def test_what_follows_from_unknown_secrets_is_unknown() -> None:
    [pool] = plan([manifest("BrokerPool", "default")])
    workload = pool.children[-1]["spec"]["template"]
    assert list(workload["metadata"]["annotations"].values()) == [UNKNOWN]
    assert workload["spec"]["containers"][0]["image"] == CHART.broker_image


def test_the_chart_has_the_same_defaults() -> None:
    values = yaml.safe_load((Path(__file__).parents[3] / "helm/quintet/values.yaml").read_text())
    keys = ("brokerImage", "redisImage", "imagePullPolicy", "imagePullSecrets")
    assert [values[key] for key in keys] == [*astuple(CHART)[:3], list(CHART.image_pull_secrets)]


def test_images_that_the_chart_chose_stay_and_those_of_a_pool_are_its_own() -> None:
    [pool] = plan([manifest("BrokerPool", "other")], there())
    images = [child["spec"]["template"]["spec"] for child in pool.children if child["kind"] == "StatefulSet"]
    assert [one["containers"][0]["image"] for one in images] == ["our-redis:7", "ours:1"]
    [pool] = plan([manifest("BrokerPool", "other")], there(image="own:2"))
    assert pool.children[-1]["spec"]["template"]["spec"]["containers"][0]["image"] == CHART.broker_image


def test_what_nobody_wants_any_more_is_told() -> None:
    outer = [{"name": "internal", "type": "Internal"}, {"name": "outer", "type": "NodePort"}]
    [pool] = plan([manifest("BrokerPool", "default")], there(listeners=outer))
    assert [child["metadata"]["name"] for child in pool.obsolete] == ["default-broker-pool-outer"]


def test_what_the_operator_would_not_do_is_noted() -> None:
    disabled = {"annotations": {"quintet.dev/reconcile": "disabled"}}
    [one, other] = plan(
        [manifest("BrokerPool", "a", **disabled), manifest("Queue", "b", {"brokerPool": "a"}, **disabled)]
    )
    assert (one.children, other.children) == ([], [])
    assert one.note.startswith("ReconcileDisabled: ")
    [queue] = plan([manifest("Queue", "orders", {"brokerPool": "none"})])
    assert (queue.note, queue.children) == ("BrokerPoolNotFound: there is no BrokerPool none", [])
    [pool] = plan([manifest("BrokerPool", "a", {"listeners": [{"name": "redis", "type": "NodePort"}]})])
    assert pool.note.startswith("InvalidSpec: ")
    [pool] = plan([manifest("BrokerPool", "a", {"storage": objects.EXTERNAL})])
    assert pool.note == "SecretNotFound: brokers start once there is a Secret our-redis with a url"
