"""kind, kubectl and helm: the machine's, else made of Go modules."""

import shutil
from pathlib import Path

from tests.cluster.kind import go
from tests.cluster.kind.cache import BIN
from tests.cluster.kind.components import kubernetes

KIND_VERSION = "v0.33.0"
HELM = "helm.sh/helm/v3/cmd/helm@v3.19.5"


def ensure() -> Path:
    """A folder to put on PATH, with those that the machine lacks. Raises Unavailable."""
    BIN.mkdir(parents=True, exist_ok=True)
    if not _there("kind"):
        go.install(f"sigs.k8s.io/kind@{KIND_VERSION}", BIN)
    if not _there("helm"):
        go.install(HELM, BIN)
    if not _there("kubectl"):
        # Every Kubernetes program is in one, and its name says which it is.
        (BIN / "kubectl").symlink_to(kubernetes())
    return BIN


def _there(program: str) -> bool:
    link = BIN / program
    if link.is_symlink() and not link.exists():
        link.unlink()
    return link.exists() or shutil.which(program) is not None
