"""What Helm makes of the chart; needs Helm, and no cluster."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import ROOT

CHART = ROOT / "helm/quintet"
EVERYTHING = Path(__file__).with_name("everything.yaml")
KUBERNETES = "--kube-version=1.34.0"
"""A Helm that was not built by its own project takes an old one for granted."""

Manifest = dict[str, Any]


class Refused(Exception):
    """Helm ended with an error; the message is what it said."""


def helm(*arguments: str) -> str:
    done = subprocess.run(["helm", *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def rendered(*arguments: str, release: str = "quintet", chart: Path = CHART) -> list[Manifest]:
    text = helm("template", release, str(chart), "--namespace=quintet-system", KUBERNETES, *arguments)
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def only(manifests: list[Manifest], kind: str) -> Manifest:
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def test_lint_finds_nothing() -> None:
    helm("lint", "--strict", str(CHART))
    helm("lint", "--strict", str(CHART), f"--values={EVERYTHING}")


def test_by_default_all_of_it_is_there() -> None:
    kinds = Counter(manifest["kind"] for manifest in rendered())
    assert kinds == {
        "CustomResourceDefinition": 2,
        "ServiceAccount": 1,
        "ClusterRole": 4,
        "ClusterRoleBinding": 1,
        "Role": 1,
        "RoleBinding": 1,
        "Deployment": 1,
        "PodDisruptionBudget": 1,
    }


def test_every_value_arrives() -> None:
    manifests = rendered(f"--values={EVERYTHING}")
    assert {m["kind"] for m in manifests}.isdisjoint({"CustomResourceDefinition", "ServiceAccount"})
    values = yaml.safe_load(EVERYTHING.read_text(encoding="utf-8"))
    operator = values["operator"]
    deployment = only(manifests, "Deployment")
    assert deployment["spec"]["replicas"] == 3
    template = deployment["spec"]["template"]
    assert template["metadata"]["annotations"] == operator["podAnnotations"]
    assert template["metadata"]["labels"]["team"] == "messaging"
    pod = template["spec"]
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert pod[name] == operator[name], name
    assert pod["imagePullSecrets"] == values["imagePullSecrets"]
    assert pod["serviceAccountName"] == "somebody"
    [container] = pod["containers"]
    assert container["image"] == values["operatorImage"]
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"] == operator["resources"]
    environment = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert environment["QUINTET_BROKER_IMAGE"] == values["brokerImage"]
    assert environment["QUINTET_REDIS_IMAGE"] == values["redisImage"]
    assert environment["QUINTET_IMAGE_PULL_POLICY"] == "Always"
    assert environment["QUINTET_IMAGE_PULL_SECRETS"] == "first,second.example.org"
    assert environment["QUINTET_LOG_LEVEL"] == "DEBUG"


@pytest.mark.parametrize("values", [(), (f"--values={EVERYTHING}",)], ids=["defaults", "everything"])
def test_names_and_labels_agree(values: tuple[str, ...]) -> None:
    """Also where somebody's own label has the name of one that the selectors use."""
    manifests = rendered(*values, release="second")
    deployment = only(manifests, "Deployment")
    assert deployment["metadata"]["name"] == "second-quintet-operator"
    selector = deployment["spec"]["selector"]
    assert selector == only(manifests, "PodDisruptionBudget")["spec"]["selector"]
    assert selector["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        assert only(manifests, kind)["subjects"] == [
            {"kind": "ServiceAccount", "name": account, "namespace": "quintet-system"}
        ]
        assert only(manifests, kind)["roleRef"]["name"] == "second-quintet-operator"


def test_long_names_of_a_release_fit() -> None:
    for manifest in rendered(release="x" * 53):
        assert len(manifest["metadata"]["name"]) <= 63
        assert not manifest["metadata"]["name"].startswith("-")


def test_the_operator_runs_without_any_privilege() -> None:
    pod = only(rendered(), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}


def test_no_right_is_a_wildcard_and_people_get_no_more_than_their_role() -> None:
    rules = {}
    for manifest in rendered():
        if manifest["kind"] in ("ClusterRole", "Role"):
            rules[manifest["metadata"]["name"]] = manifest["rules"]
            for rule in manifest["rules"]:
                assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
    assert {verb for rule in rules["quintet-view"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    for name in ("view", "edit", "admin"):
        assert {group for rule in rules[f"quintet-{name}"] for group in rule["apiGroups"]} == {"quintet.dev"}


def test_definitions_are_kept_when_the_release_goes() -> None:
    for manifest in rendered():
        if manifest["kind"] == "CustomResourceDefinition":
            assert manifest["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_notes_tell_the_next_command(tmp_path: Path) -> None:
    """As a manifest of a copy, since `helm template` leaves them out and `helm install` asks for a cluster."""
    chart = shutil.copytree(CHART, tmp_path / "quintet")
    (chart / "templates/NOTES.txt").rename(chart / "notes")
    show = '{"kind": "Notes", "text": {{ tpl (.Files.Get "notes") . | toJson }}}'
    (chart / "templates/notes.yaml").write_text(show, encoding="utf-8")
    notes = only(rendered(chart=chart), "Notes")["text"]
    assert "kubectl apply -f -" in notes
    assert "kubectl get queues" in notes
    assert "helm uninstall quintet --namespace quintet-system" in notes


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("--set=brokerimage=x", "brokerimage"),
        ("--set=operator.replica=1", "replica"),
        ("--set=operator.resources.request.cpu=1", "request"),
        ("--set=crds.install=true", "install"),
        ("--set=imagePullSecrets[0].nam=x", "nam"),
        ("--set=operator.tolerations[0].keys=x", "keys"),
        ("--set=operator.replicas=two", "/operator/replicas"),
        ("--set=operator.replicas=-1", "/operator/replicas"),
        ("--set=crds.create=maybe", "/crds/create"),
        ("--set=imagePullPolicy=Sometimes", "/imagePullPolicy"),
        ("--set=operator.logLevel=loud", "/operator/logLevel"),
        ("--set=operatorImage=", "/operatorImage"),
        ("--set=redisImage=null", "redisImage"),
        ("--set=operator.resources.limits.memory=lots", "/operator/resources/limits/memory"),
        ("--set=operator.podLabels.answer=42", "/operator/podLabels/answer"),
    ],
)
def test_a_wrong_value_is_refused_and_its_field_is_named(setting: str, field: str) -> None:
    with pytest.raises(Refused) as refused:
        rendered(setting)
    assert field in str(refused.value).replace(".", "/")
