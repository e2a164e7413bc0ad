import re
from dataclasses import replace
from typing import Any

import pytest

from quintet_operator.builders.broker_stateful_set import broker_stateful_set, environment, prefix
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.external_redis import ExternalRedis
from quintet_operator.builders.metadata import Manifest, labels
from tests.unit.quintet_operator.objects import CREDENTIALS, DEFAULTS, EXTERNAL, pool


def template(defaults: Defaults = DEFAULTS, **spec: Any) -> Manifest:
    made: Manifest = broker_stateful_set(pool(**spec), CREDENTIALS, defaults)["spec"]["template"]
    return made


def variables(**spec: Any) -> dict[str, Any]:
    return {
        variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in environment(pool(**spec))
    }


def test_brokers_of_an_embedded_redis_know_it_by_the_pools_name() -> None:
    found = variables(account="123456789012")
    assert found["QUINTET_REDIS_URL"] == "redis://:$(REDIS_PASSWORD)@default-broker-pool-redis.shop.svc:6379/0"
    assert found["QUINTET_PREFIX"] == found["QUINTET_POOL"] == "default"
    assert (found["QUINTET_NAMESPACE"], found["QUINTET_ACCOUNT_ID"]) == ("shop", "123456789012")
    assert found["QUINTET_AUTH"] == "true"


def test_brokers_of_an_external_redis_read_its_url_from_the_users_secret() -> None:
    found = variables(storage=EXTERNAL)
    assert found["QUINTET_REDIS_URL"] == {"secretKeyRef": {"name": "our-redis", "key": "url"}}
    assert "REDIS_PASSWORD" not in found


def test_brokers_of_an_external_redis_have_what_tls_needs_as_files_as_far_as_it_is_there() -> None:
    spec = template(storage=EXTERNAL)["spec"]
    [volume] = [volume["secret"] for volume in spec["volumes"] if volume["name"] == "redis-tls"]
    assert (volume["secretName"], volume["optional"]) == ("our-redis", True)
    assert [item["path"] for item in volume["items"]] == ["ca.crt", "tls.crt", "tls.key"]
    [mount] = [mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "redis-tls"]
    assert variables(storage=EXTERNAL)["QUINTET_REDIS_TLS_DIRECTORY"] == mount["mountPath"]
    assert "redis-tls" not in str(template())


def test_each_broker_is_reached_by_others_and_by_clients_that_follow_owners() -> None:
    found = variables()
    assert found["QUINTET_PEER_PORT"] == "9402"
    assert found["QUINTET_PEER_ADDRESS"] == "$(POD_IP):9402"
    service = "default-broker-pool-pods.shop.svc"
    assert found["QUINTET_HTTP_ADDRESS"] == f"http://$(QUINTET_POD_NAME).{service}:9400"


def test_kubernetes_knows_each_variable_before_it_puts_it_into_another() -> None:
    known: set[str] = set()
    for name, value in variables().items():
        if isinstance(value, str):
            assert set(re.findall(r"\$\((\w+)\)", value)) <= known, name
        known.add(name)


def test_in_a_redis_that_others_use_keys_are_set_apart_by_more_than_a_name() -> None:
    assert prefix(pool(storage=EXTERNAL)) == "uid-of-pool"
    chosen = EXTERNAL | {"external": {"secretRef": {"name": "our-redis"}, "prefix": "mine"}}
    assert prefix(pool(storage=chosen)) == "mine"


@pytest.mark.parametrize(("spec", "image"), [({}, "quintet:1"), ({"image": "other:2"}, "other:2")])
def test_the_pools_image_comes_before_the_charts(spec: dict[str, Any], image: str) -> None:
    [container] = template(**spec)["spec"]["containers"]
    assert (container["image"], container["args"]) == (image, ["quintet_broker"])


def test_quantities_are_written_as_kubernetes_reads_them() -> None:
    [container] = template(resources={"limits": {"cpu": "1500m", "memory": "1Gi"}})["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "1500m", "memory": "1Gi"},
    }


def test_the_users_labels_and_annotations_do_not_replace_ours() -> None:
    ours = template()["metadata"]
    theirs = {
        "labels": {"team": "a", "quintet.dev/name": "other"},
        "annotations": {"note": "b", "quintet.dev/credentials": "other"},
    }
    merged = template(template={"metadata": theirs})["metadata"]
    assert merged["labels"] == labels(pool(), "broker") | {"team": "a"}
    assert merged["annotations"] == ours["annotations"] | {"note": "b"}


def test_the_users_placement_is_copied() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    given = {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "affinity": {"nodeAffinity": {"x": [1]}},
        "topologySpreadConstraints": [spread],
        "priorityClassName": "high",
    }
    assert template(template={"spec": given})["spec"] == template()["spec"] | given


def test_brokers_spread_over_nodes_as_far_as_there_are_any() -> None:
    made = broker_stateful_set(pool(replicas=3), CREDENTIALS, DEFAULTS)["spec"]
    [spread] = made["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    assert spread["labelSelector"] == made["selector"]
    assert made["replicas"] == 3


def test_secrets_to_pull_with_are_the_charts_and_the_pools_each_once() -> None:
    defaults = replace(DEFAULTS, image_pull_secrets=("both", "charts"))
    given = {"imagePullSecrets": [{"name": "pools"}, {"name": "both"}]}
    assert template(defaults, template={"spec": given})["spec"]["imagePullSecrets"] == [
        {"name": "both"},
        {"name": "charts"},
        {"name": "pools"},
    ]
    assert "imagePullSecrets" not in template()["spec"]


def test_pods_start_anew_when_what_they_know_of_secrets_changes() -> None:
    def annotations(credentials: Credentials, external: ExternalRedis | None = None) -> str:
        made = broker_stateful_set(pool(), credentials, DEFAULTS, external)
        return str(made["spec"]["template"]["metadata"]["annotations"])

    others = [replace(CREDENTIALS, **{field: "x"}) for field in ("redis_password", "master_key", "admin_token")]
    redis = [ExternalRedis("rediss://a"), ExternalRedis("rediss://a", {"ca.crt": "b"})]
    seen = {annotations(CREDENTIALS), *map(annotations, others), *(annotations(CREDENTIALS, one) for one in redis)}
    assert len(seen) == 6
    assert not any(value in text for text in seen for value in vars(CREDENTIALS).values())
