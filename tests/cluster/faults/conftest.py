"""What several tests of faults break."""

from collections.abc import Iterator

import pytest

from tests.cluster import client_pod
from tests.cluster.installed import Cluster
from tests.cluster.kubectl import Kubectl
from tests.cluster.many_brokers import BROKERS


@pytest.fixture(scope="session")
def pool_of_three(cluster: Cluster) -> Iterator[Kubectl]:
    with cluster.namespace() as made:
        client_pod.furnish(made, cluster.client_image, "Fifo", replicas=BROKERS)
        yield made


@pytest.fixture
def three(pool_of_three: Kubectl) -> Kubectl:
    """Brokers that are ready, and their queue `orders`, which promises order."""
    pool_of_three.ready("brokerpool", "default")
    pool_of_three.ready("queue", "orders")
    client_pod.ready(pool_of_three)
    return pool_of_three
