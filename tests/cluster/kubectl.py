"""kubectl, as users run it."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import yaml

from quintet_api.names import READY

WITHIN = 180.0
"""Seconds, for anything that is waited for: some times what a pod takes to start on a busy machine."""
TIMEOUT = f"--timeout={WITHIN:.0f}s"
"""For a kubectl that waits."""
CALL_WITHIN = WITHIN + 60.0
"""Seconds, for one command."""
LOOK_EVERY = 0.2
"""Seconds."""

Manifest = dict[str, Any]


class Refused(AssertionError):
    """kubectl ended with an error; the message is what it said."""


def until(condition: Callable[[], object], what: Callable[[], object], within: float = WITHIN) -> None:
    """Wait; `what` tells, when it was in vain, how things are by then."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what()}"
        time.sleep(LOOK_EVERY)


class Kubectl:
    """One namespace of one cluster."""

    def __init__(self, namespace: str = "default") -> None:
        self.namespace = namespace

    def within(self, namespace: str) -> "Kubectl":
        """The same cluster, another namespace."""
        return Kubectl(namespace)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """For what goes on while the test does."""
        return subprocess.Popen(
            ["kubectl", "--namespace", self.namespace, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *arguments: str, text: str | None = None) -> str:
        """Its output. Raises Refused."""
        done = subprocess.run(
            ["kubectl", "--namespace", self.namespace, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=CALL_WITHIN,
            check=False,
        )
        if done.returncode:
            raise Refused(f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, *manifests: Manifest) -> None:
        self("apply", "-f", "-", text=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> Manifest | None:
        """None where it is not there."""
        told = self("get", kind, name, "--ignore-not-found", "--output", "json")
        found: Manifest | None = json.loads(told) if told else None
        return found

    def there(self, kind: str, name: str) -> Manifest:
        found = self.get(kind, name)
        assert found is not None, f"{kind}/{name} is not there"
        return found

    def list(self, kind: str, *arguments: str) -> list[Manifest]:
        items: list[Manifest] = json.loads(self("get", kind, *arguments, "--output", "json"))["items"]
        return items

    def delete(self, kind: str, name: str, *arguments: str) -> None:
        """Returns before it is gone."""
        self("delete", kind, name, "--wait=false", *arguments)

    def patch(self, kind: str, name: str, change: Manifest) -> None:
        self("patch", kind, name, "--type", "merge", "--patch", json.dumps(change))

    # Waiting

    def gone(self, kind: str, name: str, within: float = WITHIN) -> None:
        until(lambda: self.get(kind, name) is None, lambda: self.get(kind, name), within)

    def condition(
        self, kind: str, name: str, status: str, reason: str = "", within: float = WITHIN, *, of: str = READY
    ) -> Manifest:
        """Wait until Ready, or the one `of` a type, is so, for the object's newest generation; return the condition."""

        def found() -> Manifest | None:
            held = self.get(kind, name) or {"metadata": {}}
            for condition in held.get("status", {}).get("conditions", ()):
                if (
                    condition["type"] == of
                    and condition["status"] == status
                    and condition["reason"] == (reason or condition["reason"])
                    and condition.get("observedGeneration") == held["metadata"]["generation"]
                ):
                    return dict(condition)
            return None

        until(found, lambda: self._state(kind, name), within)
        return found() or {}

    def ready(self, kind: str, name: str, within: float = WITHIN) -> None:
        self.condition(kind, name, "True", within=within)

    def _state(self, kind: str, name: str) -> str:
        """For the message of a test that failed."""
        held = self.get(kind, name)
        state = json.dumps(held.get("status") if held else None, indent=1)
        return f"{kind}/{name} {state}\n{self('get', 'pods', '--output', 'wide')}\n{self('get', 'events')[-3000:]}"
