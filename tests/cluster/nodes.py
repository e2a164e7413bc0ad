"""Nodes of a kind cluster, which are containers of Docker."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.kubectl import TIMEOUT, Kubectl
from tools.shell import run


class Nodes:
    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """While that one is dead, with all that runs on it."""
        run("docker", "kill", name)
        try:
            yield
        finally:
            run("docker", "start", name)
            self._kubectl("wait", "node", name, "--for=condition=Ready", TIMEOUT)
