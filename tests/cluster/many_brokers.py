"""A pool of three brokers: which there are, what each of them knows, and where it runs."""

from collections.abc import Iterable

from quintet_api.topology import TopologyStatus
from tests.cluster.kubectl import Kubectl, Refused, until

POOL = "default-broker-pool"
BROKERS = 3
REDIS = f"{POOL}-redis-0"
ASK = """
import urllib.request
headers = {"Authorization": "Bearer " + open("/etc/quintet/admin-token").read()}
request = urllib.request.Request("http://localhost:9401/admin/v1/topology", headers=headers)
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


def names(count: int = BROKERS) -> list[str]:
    return [f"{POOL}-{number}" for number in range(count)]


def topology(kubectl: Kubectl, pod: str) -> TopologyStatus:
    """As that broker tells it."""
    return TopologyStatus.model_validate_json(kubectl("exec", pod, "--", "python", "-c", ASK))


def until_known(kubectl: Kubectl, wanted: Iterable[str]) -> None:
    """Wait until these brokers, and no others, are what one of them knows."""
    known = sorted(wanted)
    until(lambda: listed(kubectl, known[0]) == known, lambda: listed(kubectl, known[0]))


def listed(kubectl: Kubectl, pod: str) -> list[str]:
    """Empty while it says nothing."""
    try:
        return sorted(found.name for found in topology(kubectl, pod).pods)
    except Refused:
        return []


def node_of(kubectl: Kubectl, pod: str) -> str:
    return str(kubectl.there("pod", pod)["spec"]["nodeName"])
