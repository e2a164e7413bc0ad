"""`quintet --context` and `kubectl quintet`, from this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from quintet.cli import main
from tests.cluster import guard
from tests.cluster.kubectl import Kubectl, Manifest
from tests.cluster.resources import queue

PLUGIN = f"#!{sys.executable}\nfrom quintet.cli import kubectl_quintet\nkubectl_quintet()\n"


def quintet(kubectl: Kubectl, *arguments: str, given: str = "", code: int = 0) -> str:
    """What it says, errors included."""
    where = ["--context", guard.check(), "-n", kubectl.namespace]
    done = CliRunner().invoke(main, [*where, *arguments], given, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_messages_of_a_cluster(orders: Kubectl) -> None:
    """In one: each takes a connection of its own to the cluster."""
    told = quintet(orders, "send", "orders", "--lines", "--key", "k", given="one\ntwo\nthree\n")
    assert told == "queue/orders: 3 messages sent\n"
    assert quintet(orders, "peek", "orders", "-o", "text") == "one\ntwo\nthree\n"
    assert quintet(orders, "receive", "orders") == "one\n"
    shown = quintet(orders, "tail", "orders", "--since", "1h", "--no-follow", "-o", "json").splitlines()
    assert [json.loads(line)["value"] for line in shown][-3:] == ["one", "two", "three"]
    [stats] = json.loads(quintet(orders, "stats", "orders", "--oldest", "-o", "json"))["queues"]
    assert (stats["name"], stats["oldestSeconds"] > 0) == ("orders", True)
    assert quintet(orders, "top").splitlines()[1].split()[0] == "default-broker-pool-0"
    assert quintet(orders, "redrive", "orders", "--stop") == "queue/orders: 0 messages moved\n"
    assert quintet(orders, "purge", "orders") == "queue/orders purged\n"
    assert quintet(orders, "receive", "orders") == "queue/orders: no message\n"


def test_a_plan_is_what_the_operator_made(orders: Kubectl) -> None:
    manifests = [queue("orders", paused=True), queue("more")]
    told = quintet(orders, "plan", "-f", "-", given=yaml.safe_dump_all(manifests)).splitlines()
    assert told == [
        "queue/orders   change",
        "    spec.paused: False → True",
        "  secret/orders-queue   unchanged",
        "queue/more   create",
        "  secret/more-queue   create",
    ]
    pool = orders.there("brokerpool", "default")
    given = {part: pool[part] for part in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "default"}}
    first, *children = quintet(orders, "plan", "-f", "-", given=yaml.safe_dump(given)).splitlines()
    assert first == "broker-pool/default   unchanged"
    assert len(children) > 5
    assert all(child.endswith("   unchanged") for child in children), children


def test_kubectl_runs_it_as_a_plugin(orders: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / "kubectl-quintet"
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))

    def run(*arguments: str) -> str:
        command = ["kubectl", "quintet", *arguments, "--namespace", orders.namespace]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    assert run("send", "orders", "by hand") == "queue/orders: 1 message sent\n"
    assert run("receive", "orders") == "by hand\n"


def test_what_keeps_it_from_a_queue_is_one_line(orders: Kubectl, tmp_path: Path) -> None:
    [told] = CliRunner().invoke(main, ["--context", "nowhere", "peek", "orders"]).output.splitlines()
    assert "nowhere" in told
    assert "nothing" in quintet(orders, "peek", "nothing", code=1)
    told = quintet(orders, "peek", "nothing", "--pool", "none", code=1)
    assert told == "broker-pool/none: is not there\n"
    told = quintet(orders, "get", "queues", code=1)
    assert told == f"objects in a cluster are kubectl's: kubectl --context {guard.check()} get\n"
    viewer = tmp_path / "kubeconfig"
    viewer.write_text(json.dumps(as_viewer(orders)))
    [told] = quintet(orders, "--kubeconfig", str(viewer), "peek", "orders", code=1).splitlines()
    assert told.startswith("kubectl: Error from server (Forbidden): secrets ")


def as_viewer(kubectl: Kubectl) -> Manifest:
    """A kubeconfig of somebody who may look at objects, and at no Secret."""
    kubectl("create", "serviceaccount", "viewer")
    kubectl("create", "rolebinding", "viewer", "--clusterrole=view", f"--serviceaccount={kubectl.namespace}:viewer")
    config: dict[str, Any] = json.loads(kubectl("config", "view", "--minify", "--raw", "--output", "json"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", "viewer").strip()}
    return config
