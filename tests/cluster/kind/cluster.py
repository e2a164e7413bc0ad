"""The cluster of the tests: made, found again, and taken away."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.kind import docker, node_image, programs
from tests.cluster.kind.cache import KIND
from tools.shell import Failed, run, say, succeeds

NAME = "quintet"
PROGRAMS = ("kind", "kubectl", "helm")
KUBECONFIG = KIND / "kubeconfig"
CONFIG = Path(__file__).parent / "cluster.yaml"
READY_WITHIN = 180
"""Seconds."""


def start() -> dict[str, str]:
    """Have Docker and the programs.

    From then on the environment of this process has what kubectl, helm, kind and docker need. Returns that.
    Raises Failed.
    """
    with _alone():
        return _use(docker.start(), programs.ensure(*PROGRAMS))


def up(*, fresh: bool = False) -> dict[str, str]:
    """Start, and make it unless it is there; `fresh` makes it anew. Raises Failed."""
    found = start()
    with _alone():
        if fresh or not _whole():
            _remove()
            _create()
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """Of all processes of this machine that want to."""
    KIND.mkdir(parents=True, exist_ok=True)
    with (KIND / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_up() -> bool:
    """Whether it is there already."""
    try:
        _use(docker.environment(), programs.ensure())
        return bool(shutil.which("kind")) and _whole()
    except Failed:
        return False


def down() -> None:
    """Take it away, and the Docker that was started for it. What was made for it is kept for the next one."""
    try:
        _use(docker.environment(), programs.ensure())
    except Failed:
        return
    if shutil.which("kind"):
        _remove()
    docker.stop()
    KUBECONFIG.unlink(missing_ok=True)


def _use(docker_environment: dict[str, str], path: str) -> dict[str, str]:
    found = docker_environment | {"KUBECONFIG": str(KUBECONFIG), "PATH": path}
    os.environ.update(found)
    return found


def _whole() -> bool:
    """Whether it is there and answers."""
    if NAME not in run("kind", "get", "clusters").split() or not KUBECONFIG.exists():
        return False
    return succeeds("kubectl", "wait", "nodes", "--all", "--for=condition=Ready", "--timeout=30s")


def _create() -> None:
    image = node_image.ensure()
    say("cluster", "making a cluster of three nodes")
    where = (f"--name={NAME}", f"--image={image}", f"--config={CONFIG}")
    run("kind", "create", "cluster", *where, f"--wait={READY_WITHIN}s")
    # It waits for the control plane alone.
    run("kubectl", "wait", "nodes", "--all", "--for=condition=Ready", f"--timeout={READY_WITHIN}s")


def _remove() -> None:
    run("kind", "delete", "cluster", f"--name={NAME}")
