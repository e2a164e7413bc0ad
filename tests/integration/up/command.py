"""The command `quintet`, as users run it."""

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from click.testing import CliRunner

from quintet.cli import main

WITHIN = 60.0
"""Seconds."""
MAIN = "import sys; from quintet.cli import main; sys.argv[0] = 'quintet'; main()"


def queue(name: str, **spec: Any) -> str:
    """A manifest on five lines; JSON is YAML."""
    lines = ("apiVersion: quintet.dev/v1", "kind: Queue", "metadata:", f"  name: {name}", f"spec: {json.dumps(spec)}")
    return "\n".join(lines) + "\n"


def until(condition: Callable[[], object], what: str | Callable[[], str]) -> None:
    """Wait; `what` says what was waited for in vain, and may tell what is so by then."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        time.sleep(0.01)


def _hear_interrupts() -> None:
    """As from a terminal: where these tests run in the background, SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Up:
    """`quintet up` on a state directory of its own, and the other commands against it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.log = directory / "up.log"
        self.seconds = 0.0
        """From the start of the process until it was ready."""
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"QUINTET_STATE_DIR": str(self.state)}

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def launch(self, *arguments: str | Path, **environment: str) -> None:
        ports = ("--http-port", "0", "--admin-port", "0")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "up", *ports, *map(str, arguments)],
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start(self, *arguments: str | Path, **environment: str) -> None:
        """Run it and wait until it is ready."""
        began = time.monotonic()
        self.launch(*arguments, **environment)
        until(lambda: re.search("\ntry\n.+\n", self.output) or self.process.poll() is not None, "it is not ready")
        self.seconds = time.monotonic() - began
        assert self.process.poll() is None, self.output

    def refused(self, *arguments: str | Path, **environment: str) -> str:
        """Run it where it must not start; return what it says."""
        self.launch(*arguments, **environment)
        assert self.process.wait(WITHIN) == 1, self.output
        return self.output

    @property
    def output(self) -> str:
        return self.log.read_text()

    def says(self, text: str, times: int = 1) -> None:
        """Wait until it has said so."""
        until(lambda: self.output.count(text) >= times, lambda: f"not {times} x {text!r} in:\n{self.output}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """By a signal; return the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(WITHIN)
        self._process = None
        return code

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word: str) -> psutil.Process:
        """The child with the word in its command line."""
        [found] = [child for child in self.children() if word in " ".join(child.cmdline())]
        return found

    @property
    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "ready.json").read_text())
        return found

    @property
    def http(self) -> str:
        return str(self.ready["endpoints"]["http"])

    def quintet(self, *arguments: str | Path, given: str = "", code: int = 0) -> str:
        """Run another command, inside this process for speed, and return what it prints, errors included."""
        environment = {"QUINTET_STATE_DIR": str(self.state)}
        done = CliRunner().invoke(main, [*map(str, arguments)], given, environment, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.output

    def command(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Another command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_hear_interrupts,
        )

    def counts(self, name: str) -> dict[str, int]:
        """Of a queue's messages."""
        found: dict[str, int] = json.loads(self.quintet("get", "queue", name, "-o", "json"))["status"]["messages"]
        return found

    def get(self) -> dict[str, dict[str, Any]]:
        """All objects by `Kind/name`."""
        items = json.loads(self.quintet("get", "all", "-o", "json"))["items"]
        return {f"{one['kind']}/{one['metadata']['name']}": one for one in items}
