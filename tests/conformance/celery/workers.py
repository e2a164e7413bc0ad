"""Celery's worker as a process, and what sends it tasks."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conformance.suites import packages
from tests.processes import Process
from tools.shell import run

HERE = Path(__file__).parent
WITHIN = 120.0
"""Seconds for anything that is waited for."""

Told = list[tuple[str, int, float]]


class Worker(Process):
    """A worker on one queue. Workers with the same directory tell in the same file what their tasks do."""

    def __init__(self, directory: Path, endpoint: str, name: str, pool: str = "prefork", **transport: Any) -> None:
        super().__init__(directory, name)
        self._told = directory / "told"
        self._pool = pool
        self._endpoint = endpoint
        self._transport = transport

    def command(self) -> list[str]:
        options = ["--pool", self._pool, "--concurrency", "2", "--loglevel", "INFO"]
        return [str(packages.python()), "-m", "celery", "--app", "application", "worker", *options]

    def environment(self) -> dict[str, str]:
        own = {
            "PYTHONPATH": str(HERE),
            "QUINTET_ENDPOINT": self._endpoint,
            "QUINTET_TOLD": str(self._told),
            "QUINTET_TRANSPORT": json.dumps(self._transport),
            # Celery warns of root, which a container often is.
            "C_FORCE_ROOT": "true",
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | own

    def is_up(self) -> bool:
        return " ready." in self.log.read_text()

    def send(self, statement: str) -> None:
        """Run a statement in a process that has imported everything of the application."""
        command = (str(packages.python()), "-c", f"from application import *; {statement}")
        run(*command, environment=self.environment(), within=WITHIN)

    def go_on(self) -> None:
        """Let tasks that hold end."""
        self._told.with_name("go-on").touch()

    def told(self, enough: Callable[[Told], bool]) -> Told:
        """What tasks told, once that is enough."""
        deadline = time.monotonic() + WITHIN
        while True:
            lines = self._told.read_text().splitlines() if self._told.exists() else []
            told: Told = [(what, whom, when) for what, whom, when in map(json.loads, lines)]
            if enough(told):
                return told
            if time.monotonic() > deadline:
                raise AssertionError(f"{told}\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)
