"""kind, kubectl and helm: the machine's, else made of Go modules."""

import os
import shutil
from pathlib import Path

from tests.cluster.kind import components, go
from tests.cluster.kind.cache import BIN, KIND

HELM_MODULE = "helm.sh/helm/v3/cmd/helm@v3.19.5"
MADE = {
    "kind": lambda: go.install(components.KIND_MODULE, KIND),
    "helm": lambda: go.install(HELM_MODULE, KIND),
    # Every Kubernetes program is in one, and its name says which it is.
    "kubectl": components.kubernetes,
}


def ensure(*names: str) -> str:
    """A PATH on which these are. Raises Failed."""
    machines = os.environ["PATH"].removeprefix(f"{BIN}:")
    BIN.mkdir(parents=True, exist_ok=True)
    for name in names:
        if shutil.which(name, path=machines) is None:
            _link(BIN / name, MADE[name]())
    return f"{BIN}:{machines}"


def _link(link: Path, made: Path) -> None:
    """Anew, so that it is the version that is wanted now."""
    link.unlink(missing_ok=True)
    link.symlink_to(made)
