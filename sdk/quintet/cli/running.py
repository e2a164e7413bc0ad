"""The `quintet up` that runs on this machine."""

from __future__ import annotations

import http.client
import json
import shlex
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quintet.cli.system import TIMEOUT, Broker
from quintet.embedded.errors import CannotRun, Refused
from quintet.embedded.state import State

if TYPE_CHECKING:
    from quintet import Client

ANSWERS_WITHIN = 60.0
"""Seconds."""


def called_as() -> str:
    """How to call this command again from here, as a shell takes it."""
    program = Path(sys.argv[0]).absolute()
    found = shutil.which(program.name)
    if not program.exists() or (found and program.samefile(found)):
        return shlex.quote(program.name)
    below = program.is_relative_to(Path.cwd()) and program.parent != Path.cwd()
    return shlex.quote(str(program.relative_to(Path.cwd()) if below else program))


class Running:
    """The `quintet up` of a state directory; see system.System."""

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

    @asynccontextmanager
    async def client(self, queue: str, *, whole_pool: bool = False) -> AsyncIterator[Client]:
        """With the pool's key, which may do everything."""
        from quintet import connect

        _, key = self._pool
        url = self.ready["endpoints"]["http"]
        async with connect(url, key_id=key["accessKeyId"], secret=key["secretAccessKey"], timeout=TIMEOUT) as client:
            yield client

    @asynccontextmanager
    async def brokers(self) -> AsyncIterator[Sequence[Broker]]:
        pool, _ = self._pool
        yield [Broker(pool, one["name"], one["admin"]) for one in self.ready["endpoints"]["brokers"]]

    @property
    def _pool(self) -> tuple[str, dict[str, str]]:
        """Its name and access key."""
        keys: dict[str, dict[str, str]] = self.ready["credentials"]
        [(name, key)] = [(name, key) for name, key in keys.items() if name.startswith("broker-pool/")]
        return name.partition("/")[2], key

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
