"""Which clusters the tests of tests/cluster take for one of theirs."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import guard


def view(context: str, server: str) -> dict[str, Any]:
    return {"current-context": context, "clusters": [{"name": context, "cluster": {"server": server}}]}


@pytest.mark.parametrize(
    ("context", "server"),
    [
        ("kind-quintet", "https://127.0.0.1:41234"),
        ("kind-mine", "https://[::1]:6443"),
        ("kind-mine", "https://localhost:6443"),
        ("k3d-mine", "https://0.0.0.0:6443"),
    ],
)
def test_what_kind_and_k3d_made_on_this_machine_is_a_test_cluster(context: str, server: str) -> None:
    assert guard.judge(view(context, server), {}) == context


@pytest.mark.parametrize(
    ("context", "server"),
    [
        ("production", "https://10.1.2.3:6443"),
        # A tunnel.
        ("production", "https://127.0.0.1:6443"),
        ("kind-of-production", "https://kubernetes.example.com"),
        ("kind-mine", "https://192.168.1.7:6443"),
        ("kind-mine", "https://127.0.0.1.example.com:6443"),
        ("my-kind-cluster", "https://127.0.0.1:6443"),
    ],
)
@pytest.mark.parametrize("consent", ["", "0", "no"])
def test_any_other_is_refused_and_told_how_to_consent(context: str, server: str, consent: str) -> None:
    with pytest.raises(guard.NotATestCluster, match=guard.CONSENT) as refused:
        guard.judge(view(context, server), {guard.CONSENT: consent})
    assert context in str(refused.value)
    assert server in str(refused.value)


def test_consent_makes_any_a_test_cluster() -> None:
    assert guard.judge(view("production", "https://10.1.2.3:6443"), {guard.CONSENT: "1"}) == "production"


PROGRAM = """#!/bin/sh
test "$KUBECONFIG" = theirs && test "$*" = "config view --minify --output json" && cat "$ANSWER"
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """With a kubectl that tells of a cluster far away."""
    program, answer = tmp_path / "kubectl", tmp_path / "answer.json"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    answer.write_text(json.dumps(view("production", "https://10.1.2.3:6443")))
    for name, value in {"PATH": f"{tmp_path}:/usr/bin:/bin", "KUBECONFIG": "theirs", "ANSWER": str(answer)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(guard.CONSENT, raising=False)
    return monkeypatch


def test_the_cluster_of_the_environment_is_what_is_judged(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(guard.NotATestCluster, match="production"):
        guard.check()
    environment.setenv(guard.CONSENT, "1")
    assert guard.check() == "production"


def test_no_cluster_at_all_is_refused_even_with_consent(environment: pytest.MonkeyPatch) -> None:
    environment.setenv(guard.CONSENT, "1")
    environment.setenv("KUBECONFIG", "none")
    with pytest.raises(guard.NotATestCluster, match="no current context"):
        guard.check()
