"""One cluster a run, the system installed in it by its chart; what breaks things comes last."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import client_pod, guard, images
from tests.cluster.guard import NotATestCluster
from tests.cluster.installed import NAMESPACE, Cluster, Unavailable, connected
from tests.cluster.kubectl import Kubectl
from tests.cluster.nodes import Nodes
from tests.cluster.processes import Processes

HERE = Path(__file__).parent
LIMIT = 900
"""Seconds for a test; what it is given, such as a cluster made for the first time, has limits of its own."""
LAST = ("faults", "test_uninstall.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(LIMIT, func_only=True))
    items.sort(key=lambda item: next((rank for rank, word in enumerate(LAST, 1) if word in item.path.parts), 0))


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """With the system installed and ready."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with ExitStack() as stack:
            # The first time it takes minutes, and tells what they are spent on.
            with capture.global_and_fixture_disabled():
                found = stack.enter_context(connected())
            found.install()
            yield found
    except Unavailable as reason:
        pytest.skip(f"there is no cluster: {reason}")
    except (NotATestCluster, KeyError) as reason:
        pytest.exit(f"tests/cluster: {reason}", returncode=1)


@pytest.fixture
def kubectl(cluster: Cluster) -> Iterator[Kubectl]:
    """In a namespace of the test's own."""
    with cluster.namespace() as made:
        yield made


@pytest.fixture(scope="session")
def shared(cluster: Cluster) -> Iterator[Kubectl]:
    """A namespace for all tests that leave its pool as it is, with a pod `client` for a queue `orders`."""
    with cluster.namespace() as made:
        client_pod.furnish(made, cluster.client_image)
        yield made


@pytest.fixture
def orders(shared: Kubectl) -> Kubectl:
    """The shared namespace, with a queue `orders` that is new and empty, and no other."""
    client_pod.renew(shared)
    return shared


@pytest.fixture(scope="session")
def system(cluster: Cluster) -> Kubectl:
    """In the operator's namespace."""
    return cluster.kubectl.within(NAMESPACE)


@pytest.fixture(scope="session")
def nodes(cluster: Cluster) -> Nodes:
    if not guard.check().startswith(images.KIND):
        pytest.skip("its nodes are no containers of this machine")
    return Nodes(cluster.kubectl)


@pytest.fixture(scope="session")
def processes(cluster: Cluster) -> Iterator[Processes]:
    with cluster.namespace() as made:
        yield Processes(made, cluster.client_image)
