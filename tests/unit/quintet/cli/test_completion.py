"""What shells are told."""

import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from quintet.cli import main
from quintet.cli.completion import complete_for_kubectl


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_read_it(shell: str) -> None:
    told = CliRunner().invoke(main, ["completion", shell], catch_exceptions=False)
    assert told.exit_code == 0
    assert f"_QUINTET_COMPLETE={shell}_complete" in told.output
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=told.output, check=True, text=True)


def test_kubectl_is_told_commands_and_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-quintet", "pe"])
    complete_for_kubectl()
    assert capsys.readouterr().out == "peek\tLook at messages without receiving them.\n:4\n"
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-quintet", "peek", "orders", "--lim"])
    complete_for_kubectl()
    assert capsys.readouterr().out == "--limit\tHow many messages, at most.\n:4\n"
