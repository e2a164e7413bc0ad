"""`quintet plan`, with a kubectl that a script plays."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from quintet.cli import main, plugin
from quintet_operator.plan import plan as planned

ORDERS = "apiVersion: quintet.dev/v1\nkind: Queue\nmetadata:\n  name: orders\nspec: {}\n"
KUBECTL = """#!/bin/sh
case "$*" in
  *config*) echo shop ;;
  *secrets*) {secrets} ;;
  *queues*) cat {directory}/ours.json ;;
  *) cat {directory}/children.json ;;
esac
"""


def said(*arguments: str, given: str = ORDERS, code: int = 0, group: Any = main) -> str:
    done = CliRunner().invoke(group, ["plan", "-f", "-", *arguments], given, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That has nothing."""
    holds(tmp_path, ours=[], children=[])
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def holds(directory: Path, *, secrets: str = ":", **found: list[Any]) -> None:
    for name, items in found.items():
        (directory / f"{name}.json").write_text(json.dumps({"kind": "List", "items": items}))
    script = directory / "kubectl"
    script.write_text(KUBECTL.format(directory=directory, secrets=secrets))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


def test_without_a_cluster_it_names_the_children() -> None:
    told = said().splitlines()
    assert told[0] == "broker-pool/default   (made by the operator: nobody declares it)"
    assert told[-2:] == ["queue/orders", "  secret/orders-queue"]
    assert "  statefulset/default-broker-pool" in told


def test_whole_objects_hold_no_secrets() -> None:
    documents = list(yaml.safe_load_all(said("-o", "yaml")))
    assert [one["kind"] for one in documents][-2:] == ["StatefulSet", "Secret"]
    assert set(documents[-1]["data"].values()) == {"<known once it is applied>"}
    assert json.loads(said("-o", "json"))["items"] == documents


def test_what_is_wrong_is_told_line_by_line() -> None:
    told = said(given=ORDERS.replace("{}", "{visibilityTimeout: 13h}"), code=1)
    assert told == "<stdin>:5: spec.visibilityTimeout: must be from 0s to 12h\n"


def test_beside_a_cluster_it_tells_what_would_become_of_each(cluster: Path) -> None:
    assert said(group=plugin).splitlines()[-2:] == ["queue/orders   create", "  secret/orders-queue   create"]
    spec = {"brokerPool": "default", "ordering": "Standard"}
    body = {"apiVersion": "quintet.dev/v1", "kind": "Queue", "spec": spec}
    pool = {"kind": "BrokerPool", "metadata": {"name": "default", "namespace": "shop", "uid": "1"}}
    queue = body | {"metadata": {"name": "orders", "namespace": "shop", "uid": "2"}}
    pool |= {"apiVersion": "quintet.dev/v1", "spec": {"storage": {"mode": "Embedded"}}}
    holds(cluster, ours=[pool, queue], children=planned([pool])[0].children)
    told = said("--context", "there")
    assert "broker-pool" not in told
    assert told.splitlines()[0] == "queue/orders   change"
    assert "    spec.visibilityTimeout: nothing → 30s" in told.splitlines()
    fifo = ORDERS.replace("{}", "{ordering: Fifo}")
    assert said("--context", "there", given=fifo, code=1) == "<stdin>:5: spec.ordering: is immutable\n"


def test_secrets_that_one_may_not_read_count_as_unknown(cluster: Path) -> None:
    holds(cluster, secrets="echo 'Error from server (Forbidden): no' >&2; exit 1", ours=[], children=[])
    told = said("--context", "there").splitlines()
    assert told[0] == "Secrets count as unknown: kubectl: Error from server (Forbidden): no"
    assert told[-1] == "  secret/orders-queue   create"
