"""Who has Kubernetes' own roles has the same over queues and pools; the operator has no more than it needs."""

import pytest

from tests.cluster.installed import NAMESPACE, OPERATOR
from tests.cluster.kubectl import Kubectl, Refused, until

USER = "--as=somebody"
OPERATORS = f"--as=system:serviceaccount:{NAMESPACE}:{OPERATOR}"


def may(kubectl: Kubectl, who: str, *what: str) -> bool:
    try:
        return kubectl("auth", "can-i", who, *what).strip() == "yes"
    except Refused as refused:
        # It says no by its exit code too.
        if "no" not in str(refused).split():
            raise
        return False


@pytest.mark.parametrize("kind", ["queues.quintet.dev", "brokerpools.quintet.dev"])
@pytest.mark.parametrize(("role", "changes"), [("view", False), ("edit", True), ("admin", True)])
def test_a_role_of_kubernetes_holds_for_queues_and_pools(kubectl: Kubectl, role: str, changes: bool, kind: str) -> None:
    assert not may(kubectl, USER, "get", kind)
    kubectl("create", "rolebinding", role, f"--clusterrole={role}", "--user=somebody")
    # Kubernetes adds the rules up some time after the install.
    until(lambda: may(kubectl, USER, "watch", kind), lambda: f"{role} may not watch {kind}")
    for verb in ("create", "update", "patch", "delete"):
        assert may(kubectl, USER, verb, kind) == changes, verb
    assert not may(kubectl, USER, "patch", kind, "--subresource=status")
    assert may(kubectl, USER, "get", "secrets") == changes


@pytest.mark.parametrize(
    "what",
    [
        ("delete", "secrets"),
        ("delete", "persistentvolumeclaims"),
        ("update", "queues.quintet.dev"),
        ("delete", "brokerpools.quintet.dev"),
        ("create", "pods"),
        ("create", "pods", "--subresource=exec"),
        ("create", "clusterrolebindings"),
        ("update", "leases", "-n", "default"),
        ("list", "namespaces"),
        ("impersonate", "serviceaccounts"),
    ],
    ids=" ".join,
)
def test_what_the_operator_does_not_need_it_may_not(kubectl: Kubectl, what: tuple[str, ...]) -> None:
    assert may(kubectl, OPERATORS, "list", "secrets")
    assert not may(kubectl, OPERATORS, *what)
