"""The image that the chart installed, without the system: what is in it, and what it may do."""

import json
from typing import Any

import pytest

from tests.cluster.installed import OPERATOR
from tests.cluster.kubectl import Kubectl, Manifest, until

LOOK = """
import importlib.metadata, json, os, pathlib, sys
home = pathlib.Path(sys.prefix)
modules = list(home.rglob("site-packages/quintet*/**/*.py"))
print(json.dumps({
    "uid": os.getuid(),
    "python": sys.version_info[:2],
    "packages": sorted(found.name.lower() for found in importlib.metadata.distributions()),
    "modules": [str(path) for path in modules],
    "not compiled": [str(p) for p in modules if not list((p.parent / "__pycache__").glob(p.stem + ".*.pyc"))],
    "writable": [folder for folder, _, _ in os.walk(home) if os.access(folder, os.W_OK)],
}))
"""


def run(kubectl: Kubectl, image: str, name: str, container: Manifest, *, read_only: bool = True) -> tuple[int, str]:
    """A pod to its end, at the level `restricted` of Pod Security: its exit code, and what it said."""
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": read_only,
        "capabilities": {"drop": ["ALL"]},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "securityContext": security} | container
        ],
    }
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    until(lambda: phase(kubectl, name) in ("Succeeded", "Failed"), lambda: kubectl.there("pod", name)["status"])
    [ended] = kubectl.there("pod", name)["status"]["containerStatuses"]
    return ended["state"]["terminated"]["exitCode"], kubectl("logs", name)


def phase(kubectl: Kubectl, name: str) -> str:
    return str(kubectl.there("pod", name)["status"].get("phase"))


@pytest.fixture
def image(system: Kubectl) -> str:
    [container] = system.there("deployment", OPERATOR)["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


@pytest.mark.parametrize(("module", "missing"), [("quintet_broker", "redis_url"), ("quintet_operator", "broker_image")])
def test_each_of_its_programs_starts_and_says_what_it_lacks(
    kubectl: Kubectl, image: str, module: str, missing: str
) -> None:
    code, said = run(kubectl, image, module.replace("_", "-"), {"args": [module]})
    assert code == 1
    assert missing in said
    assert "Traceback" not in said


def test_it_holds_what_it_needs_and_its_user_can_change_none_of_it(kubectl: Kubectl, image: str) -> None:
    """Not even where the file system could be written."""
    code, said = run(kubectl, image, "look", {"command": ["python", "-c", LOOK]}, read_only=False)
    assert code == 0, said
    found: dict[str, Any] = json.loads(said)
    assert found["uid"] == 10001
    assert found["python"] >= [3, 11]
    assert {"quintet", "kopf", "redis", "aiokafka"} <= set(found["packages"])
    assert {"pip", "hatchling", "pytest", "mypy", "ruff", "boto3"}.isdisjoint(found["packages"])
    assert len(found["modules"]) > 50
    assert not [path for path in found["modules"] if "/tests/" in path]
    assert found["not compiled"] == []
    assert found["writable"] == []
