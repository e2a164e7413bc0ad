"""What all commands share: the state directory, the `quintet up` that runs on it, and how failures are told."""

import http.client
import json
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from quintet.embedded.errors import CannotRun, Refused
from quintet.embedded.state import State, default_directory
from quintet.errors import QuintetError

ANSWERS_WITHIN = 60.0
"""Seconds."""
EXTRA_MODULES = {"cel", "jsonschema", "pydantic", "pydantic_core", "redis", "uvloop", "watchfiles", "yaml"}
"""What the client alone does not need."""
INSTALL = "pip install '.[up]' in a clone of the repository"

state_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_directory,
    envvar="QUINTET_STATE_DIR",
    show_default="$XDG_STATE_HOME/quintet, else ~/.local/state/quintet",
    help="Where `quintet up` keeps its data, and where other commands find it.",
)


def called_as() -> str:
    """How to call this command again from here, as a shell takes it."""
    program = Path(sys.argv[0]).absolute()
    found = shutil.which(program.name)
    if not program.exists() or (found and program.samefile(found)):
        return shlex.quote(program.name)
    below = program.is_relative_to(Path.cwd()) and program.parent != Path.cwd()
    return shlex.quote(str(program.relative_to(Path.cwd()) if below else program))


@contextmanager
def told_failures() -> Iterator[None]:
    """Failures that a user can mend end the command with their message and exit code 1."""
    try:
        yield
    except (CannotRun, Refused, QuintetError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_MODULES:
            raise
        click.echo(f"this needs more than the client ({error.name}): {INSTALL}", err=True)
        raise SystemExit(1) from error


class Running:
    """The `quintet up` of a state directory."""

    def __init__(self, state_directory: Path) -> None:
        """Raises CannotRun where none is running."""
        state = State(state_directory)
        try:
            self.ready: dict[str, Any] = json.loads(state.ready_file.read_text())
            self._connect().close()
        except OSError as error:
            raise CannotRun(
                f"quintet up is not running on {state.directory}: start it, or name its --state-dir"
            ) from error

    @property
    def pool_key(self) -> dict[str, str]:
        """The access key that may do everything."""
        keys: dict[str, dict[str, str]] = self.ready["credentials"]
        return next(key for name, key in keys.items() if name.startswith("broker-pool/"))

    def objects(self) -> list[dict[str, Any]]:
        """All that exists, as `quintet get -o json` shows it. Raises CannotRun."""
        found: list[dict[str, Any]] = self._ask("GET", "/objects", None)["items"]
        return found

    def change(self, verb: str, **asked: list[str]) -> list[tuple[str, str]]:
        """`("queue/orders", "created")` for each object. Raises Refused, CannotRun."""
        return [(name, outcome) for name, outcome in self._ask("POST", f"/{verb}", asked)["outcomes"]]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self._connect()
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            raise CannotRun(f"quintet up did not answer: {error}") from error
        finally:
            connection.close()
        if response.status == 409:
            raise Refused(answer["problems"])
        if response.status != 200:
            raise CannotRun("\n".join(answer["problems"]))
        return answer

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWERS_WITHIN)
        try:
            connection.connect(self.ready["endpoints"]["control"].removeprefix("unix://"))
        except OSError:
            connection.close()
            raise
        return connection
