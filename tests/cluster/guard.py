"""Tests delete, kill and uninstall: they refuse a cluster that somebody may need."""

import ipaddress
import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tools.shell import Failed, run

MADE_FOR_TESTS = ("kind-", "k3d-")
"""How the names of contexts begin that kind and k3d make."""
CONSENT = "QUINTET_TEST_CLUSTER"
"""Environment: `1` says that the current context, whatever it is, is a test cluster."""


class NotATestCluster(Exception):
    """The current context of kubectl may be a cluster that somebody needs."""


def check() -> str:
    """The name of kubectl's current context. Raises NotATestCluster."""
    try:
        told = run("kubectl", "config", "view", "--minify", "--output", "json")
    except Failed as failed:
        raise NotATestCluster(f"kubectl has no current context: {failed}") from failed
    return judge(json.loads(told), os.environ)


def judge(view: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """`view` is what `kubectl config view --minify` tells: one context, one cluster. Both have to speak for it, since
    a tunnel to any cluster ends on this machine too. Returns the context's name; raises NotATestCluster."""
    context, server = view["current-context"], view["clusters"][0]["cluster"]["server"]
    if environment.get(CONSENT) == "1" or (context.startswith(MADE_FOR_TESTS) and _is_here(server)):
        return str(context)
    raise NotATestCluster(
        f"the context {context} at {server} does not look like a test cluster: unset KUBECONFIG to use the one of"
        f" `make cluster`, or say {CONSENT}=1"
    )


def _is_here(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # k3d writes 0.0.0.0.
    return address.is_loopback or address.is_unspecified
