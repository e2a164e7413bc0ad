"""What the command says before it does anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from quintet.cli import main
from quintet.cli.running import called_as

DOCS = (Path(__file__).parents[4] / "docs/laptop.md").read_text()
HEAVY = ("aiohttp", "jsonschema", "pydantic", "quintet_api", "quintet_broker", "redis", "watchfiles", "yaml")


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_help_loads_nothing_heavy() -> None:
    done = run("import sys, quintet.cli; print([name for name in sys.argv[1:] if name in sys.modules])", *HEAVY)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("arguments", [["up"], ["send", "orders", "x", "--delay", "5s"]])
def test_where_the_client_alone_is_installed_it_says_what_is_missing(arguments: list[str]) -> None:
    without = "import sys; sys.modules.update(dict.fromkeys(('pydantic', 'yaml', 'watchfiles')))"
    done = run(f"{without}; from quintet.cli import main; main()", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("this needs more than the client (")
    assert done.stderr.endswith("): pip install '.[up]' in a clone of the repository\n")


@pytest.mark.parametrize("arguments", [["send", "orders", "x"], ["peek", "orders"], ["purge", "orders"], ["top"]])
def test_the_client_alone_is_enough_for_messages(arguments: list[str], tmp_path: Path) -> None:
    """It gets as far as to find that nothing runs."""
    without = "import sys; sys.modules.update(dict.fromkeys(('pydantic', 'yaml', 'watchfiles')))"
    done = run(f"{without}; from quintet.cli import main; main()", *arguments, "--state-dir", str(tmp_path))
    assert done.stderr.startswith("quintet up is not running on "), done.stderr


def test_short_help_is_whole() -> None:
    assert "..." not in CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]


def test_help_and_docs_name_the_same_fields_as_ignored() -> None:
    [line] = [line for line in DOCS.splitlines() if "speak of a cluster and are ignored" in line]
    documented = set(re.findall("`([A-Za-z.]+)`", line.partition("are ignored: ")[2].partition("`storage.mode")[0]))
    told = CliRunner().invoke(main, ["up", "--help"]).output
    [sentence] = re.findall(r"the pool's(.*?)speak of a cluster", told, re.DOTALL)
    assert set(re.findall(r"[A-Za-z.]+", sentence)) - {"and"} == documented


def test_hints_name_the_command_as_it_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "an env/bin/quintet"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(Path(__file__).parent)
    assert called_as() == f"'{program}'"
    monkeypatch.chdir(tmp_path)
    assert called_as() == "'an env/bin/quintet'"
    monkeypatch.chdir(program.parent)
    assert called_as() == f"'{program}'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert called_as() == "quintet"


INTERRUPTED = """
import os, signal, sys
from quintet.cli import main
# As in a terminal: what runs in the background may have been started with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Interrupt:
    def find_spec(self, name, *_):
        if name.startswith("quintet_api"):
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
main()
"""
"""Ctrl-C while a command loads what it needs."""


@pytest.mark.parametrize(
    ("arguments", "code", "told"), [(["up"], 0, "stopped\n"), (["send", "orders", "x", "--delay", "5s"], 130, "")]
)
def test_ctrl_c_ends_a_command_quietly(arguments: list[str], code: int, told: str) -> None:
    done = run(INTERRUPTED, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (code, told, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["up", "--http-port", "70000"], "70000 is not in the range"),
        (["up", "--account-id", "x"], "must be 12 digits"),
        (["up", "--http-port", "9500", "--admin-port", "9500"], "--http-port and --admin-port must differ"),
        (["apply"], "Missing option '-f'"),
        (["get", "topics"], "'topics' is no kind that is known here: queues|brokerpools|all"),
        (["delete"], "name what to delete"),
        (["delete", "queue"], "name what to delete"),
        (["delete", "queue", "a", "-f", "x"], "name what to delete"),
        (["delete", "all"], "name what to delete"),
        (["describe"], "Missing argument"),
        (["send"], "Missing argument"),
        (["send", "orders", "x", "--lines"], "not both"),
        (["send", "orders", "x", "--header", "novalue"], "must be NAME=VALUE"),
        (["send", "orders", "x", "--delay", "soon"], "must be a duration such as"),
        (["receive", "orders", "--limit", "0"], "0 is not in the range"),
        (["receive", "orders", "--wait", "5"], "must be a duration such as"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert told in done.output
