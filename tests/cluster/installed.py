"""The cluster that the tests use, and the system installed in it by its chart."""

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.cluster import guard, images
from tests.cluster.kind import cluster as kind
from tests.cluster.kubectl import Kubectl
from tests.processes import ROOT
from tools.shell import Failed, run

RELEASE = "quintet"
NAMESPACE = "quintet-system"
OPERATOR = "quintet-operator"
"""Its Deployment, and its ClusterRole."""
LEASE = "quintet-operator"
INSTALL_WITHIN = 180.0
"""Seconds."""


class Unavailable(Exception):
    """No cluster can be made on this machine; the message says why."""


class Cluster:
    """A test cluster, which the environment of this process leads to."""

    def __init__(self, made: dict[str, str]) -> None:
        """`made`: the images."""
        self.kubectl = Kubectl()
        self._images = made

    @property
    def client_image(self) -> str:
        """With boto3, our client, the prober and the examples."""
        return self._images["client"]

    @property
    def redis_image(self) -> str:
        """With redis-server, which is a Sentinel too, and redis-cli."""
        return self._images["redis"]

    def install(self) -> None:
        """Or upgrade; ready when it returns."""
        self._helm(
            "upgrade",
            RELEASE,
            str(ROOT / "helm/quintet"),
            "--install",
            "--create-namespace",
            f"--set=operatorImage={self._images['quintet']}",
            f"--set=brokerImage={self._images['quintet']}",
            f"--set=redisImage={self._images['redis']}",
            "--wait",
            f"--timeout={INSTALL_WITHIN:.0f}s",
        )

    def uninstall(self) -> None:
        self._helm("uninstall", RELEASE, "--wait", f"--timeout={INSTALL_WITHIN:.0f}s")

    @contextmanager
    def namespace(self) -> Iterator[Kubectl]:
        """A new one, which goes with all that is in it."""
        name = f"test-{secrets.token_hex(3)}"
        self.kubectl("create", "namespace", name)
        try:
            yield self.kubectl.within(name)
        finally:
            self.kubectl.delete("namespace", name, "--ignore-not-found")

    def _helm(self, *arguments: str) -> str:
        return run("helm", "--namespace", NAMESPACE, *arguments, within=INSTALL_WITHIN + 30)


@contextmanager
def connected() -> Iterator[Cluster]:
    """The cluster of KUBECONFIG, or the one of `make cluster`, or one that is taken away in the end.

    In CI always a new one. Raises NotATestCluster, Unavailable.
    """
    if "KUBECONFIG" in os.environ:
        context = guard.check()
        yield _with_images(context, images.make() if context.startswith(images.KIND) else images.provided())
        return
    kept = kind.is_up() and os.environ.get("CI") != "true"
    try:
        kind.start()
        # Both mostly wait, for nodes and for packages.
        with ThreadPoolExecutor() as beside:
            made = beside.submit(images.make)
            kind.up(fresh=not kept)
    except Failed as failed:
        raise Unavailable(str(failed)) from failed
    try:
        yield _with_images(guard.check(), made.result())
    finally:
        if not kept:
            kind.down()


def _with_images(context: str, made: dict[str, str]) -> Cluster:
    if context.startswith(images.KIND):
        images.load(made.values(), context)
    return Cluster(made)
