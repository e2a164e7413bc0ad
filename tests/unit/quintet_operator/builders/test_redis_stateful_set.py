from dataclasses import replace
from typing import Any

import pytest

from quintet.embedded import redis_server
from quintet_operator.builders.metadata import Manifest
from quintet_operator.builders.redis_stateful_set import command, max_memory, redis_stateful_set
from tests.unit.quintet_operator.objects import CREDENTIALS, DEFAULTS, pool


def spec(existing: Manifest | None = None, **fields: Any) -> Manifest:
    made: Manifest = redis_stateful_set(pool(**fields), CREDENTIALS, DEFAULTS, existing)["spec"]
    return made


def settings(words: list[str]) -> dict[str, str]:
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


@pytest.mark.parametrize(("durability", "sync"), [("Fsync", "always"), ("Memory", "everysec")])
def test_it_keeps_what_it_holds_as_under_quintet_up(durability: str, sync: str, tmp_path: Any) -> None:
    in_cluster = settings(command(pool(durability=durability))[2:])
    up = settings(redis_server.command("redis-server", tmp_path, tmp_path / "socket", durability)[1:])
    for name in "appendonly", "appendfsync", "save":
        assert in_cluster[name] == up[name]
    assert (in_cluster["appendfsync"], in_cluster["appendonly"], in_cluster["save"]) == (sync, "yes", "")


def test_it_refuses_to_grow_before_its_limit_and_forgets_nothing() -> None:
    large = pool(storage={"resources": {"limits": {"memory": "1Gi"}}})
    assert max_memory(large) == 768 * 2**20
    found = settings(command(large)[2:])
    assert (found["maxmemory"], found["maxmemory-policy"]) == (str(768 * 2**20), "noeviction")


def test_its_password_is_in_no_manifest_that_others_read() -> None:
    made = redis_stateful_set(pool(), replace(CREDENTIALS, redis_password="a-secret"), DEFAULTS)
    assert "a-secret" not in str(made)


def test_its_claim_has_the_size_and_class_that_the_pool_asks_for() -> None:
    [claim] = spec(storage={"persistence": {"size": "20Gi", "storageClass": "fast"}})["volumeClaimTemplates"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "20Gi"}},
        "storageClassName": "fast",
    }
    [claim] = spec()["volumeClaimTemplates"]
    assert "storageClassName" not in claim["spec"]


def test_the_claim_templates_of_one_that_is_there_never_change() -> None:
    there = {"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data", "labels": {"of": "an older release"}}}]}}
    made = spec(there, storage={"persistence": {"size": "1Ti"}})
    assert made["volumeClaimTemplates"] == there["spec"]["volumeClaimTemplates"]


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_the_volume_goes_by_the_deletion_policy(policy: str) -> None:
    kept = spec(deletionPolicy=policy)["persistentVolumeClaimRetentionPolicy"]
    assert kept == {"whenDeleted": policy, "whenScaled": "Retain"}


def test_the_pod_mounts_what_the_claim_is_called() -> None:
    made = spec()
    [container] = made["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts[made["volumeClaimTemplates"][0]["metadata"]["name"]] == "/data"
    assert container["command"][:4] == ["redis-server", f"{mounts['credentials']}/redis.conf", "--dir", "/data"]


def test_it_starts_anew_for_a_new_password_alone() -> None:
    def template(**changed: str) -> Manifest:
        made: Manifest = redis_stateful_set(pool(), replace(CREDENTIALS, **changed), DEFAULTS)["spec"]["template"]
        return made

    assert template(master_key="x", admin_token="y") == template()
    assert template(redis_password="x") != template()
