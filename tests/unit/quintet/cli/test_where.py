"""Which system a command works on."""

import pytest
from click.testing import CliRunner

from quintet.cli import main, plugin

ASKED = ["--context", "here", "-n", "shop"]


@pytest.fixture(autouse=True)
def without_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


def said(group: str, *arguments: str, code: int) -> str:
    done = CliRunner().invoke(main if group == "quintet" else plugin, arguments)
    assert done.exit_code == code, done.output
    return done.output.splitlines()[-1]


@pytest.mark.parametrize("arguments", [[*ASKED, "send", "orders", "x"], ["send", "orders", "x", *ASKED]])
def test_a_context_means_a_cluster(arguments: list[str]) -> None:
    assert said("quintet", *arguments, code=1) == "a cluster is reached by kubectl, which is not on the PATH"


def test_the_plugin_works_on_a_cluster() -> None:
    told = "a cluster is reached by kubectl, which is not on the PATH"
    assert said("plugin", "send", "orders", "x", code=1) == told
    told = "Error: --state-dir is for what runs on this machine, not for a cluster"
    assert said("plugin", "send", "orders", "x", "--state-dir", "x", code=2) == told


def test_what_is_for_a_cluster_needs_a_context() -> None:
    told = "Error: -n, --kubeconfig and --pool are for a cluster: give its --context"
    for option in ("-n", "--kubeconfig", "--pool"):
        assert said("quintet", "send", "orders", "x", option, "shop", code=2) == told


@pytest.mark.parametrize("command", ["up", "work"])
def test_what_runs_here_takes_no_context(command: str) -> None:
    told = f"Error: {command} runs on this machine, not in a cluster"
    assert said("quintet", "--context", "here", command, code=2) == told


@pytest.mark.parametrize(
    "arguments", [["get"], ["describe", "queue", "a"], ["apply", "-f", "x"], ["delete", "queue", "a"]]
)
def test_objects_of_a_cluster_are_kubectls(arguments: list[str]) -> None:
    told = f"objects in a cluster are kubectl's: kubectl --context here {arguments[0]}"
    assert said("quintet", *arguments, "--context", "here", code=1) == told
