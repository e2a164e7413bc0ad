"""What the command says before it does anything."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from quintet.cli import main

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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["up", "--http-port", "70000"], "70000 is not in the range"),
        (["up", "--account-id", "x"], "must be 12 digits"),
        (["apply"], "Missing option '-f'"),
        (["get", "topics"], "'topics' is no kind that is known here: queue, brokerpool, all"),
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
