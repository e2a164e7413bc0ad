"""A broker whose Redis URL is wrong ends with one line that says so; one that leads to the wrong Redis says so too."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import Broker
from tests.redis_sets import RedisNode


@pytest.fixture
def node(tmp_path: Path) -> RedisNode:
    return RedisNode(tmp_path, "redis", cluster_enabled="yes")


def test_a_url_that_leads_nowhere(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "redis+sentinel://:secret@one,two")
    done = subprocess.run(broker.command(), env=broker.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "quintet broker: QUINTET_REDIS_URL: the path of redis+sentinel:// is /<name of the primary>[/<database>]\n"
    )


def test_a_node_of_a_cluster_as_one_redis(tmp_path: Path, node: RedisNode) -> None:
    node.start()
    broker = Broker(tmp_path, f"redis://{node.host}")
    broker.launch()
    deadline = time.monotonic() + 60
    while "is a node of a Cluster: use redis+cluster://" not in broker.log.read_text():
        assert time.monotonic() < deadline, broker.log.read_text()
        time.sleep(0.02)
    broker.stop()
    node.stop()
