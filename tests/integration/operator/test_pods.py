"""The pods of a pool do what their manifests want of them, and a queue's binding opens it."""

import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import redis

from quintet_api.broker_pool import BrokerPool
from quintet_api.queue import Queue
from quintet_api.topology import TopologyDocument, entry
from quintet_operator.builders import credentials
from quintet_operator.builders.binding_secret import binding_secret
from quintet_operator.builders.broker_stateful_set import broker_stateful_set
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.defaults import Defaults
from quintet_operator.builders.redis_stateful_set import redis_stateful_set
from tests.integration.operator.pods import Pod, decoded
from tests.processes import free_port

METADATA = {"namespace": "shop", "uid": "a-uid"}
POOL = BrokerPool.model_validate({"kind": "BrokerPool", "metadata": METADATA | {"name": "default"}})
QUEUE = Queue.model_validate({"kind": "Queue", "metadata": METADATA | {"name": "orders"}})
CREDENTIALS = Credentials("a-password", "a-master-key", "a-token")
DEFAULTS = Defaults("quintet", "redis", "Never")
WITHIN = 60.0
"""Seconds."""
KEYS = 30_000
"""While it loads, Redis looks for questions after each 1,024 commands."""


@pytest.fixture
def redis_pod(tmp_path: Path) -> Iterator[Pod]:
    port = str(free_port())
    here = {"6379": port, "redis-cli": f"redis-cli -p {port}"}
    pod = Pod(redis_stateful_set(POOL, CREDENTIALS, DEFAULTS), _secret(), tmp_path, here)
    yield pod
    pod.kill()


@pytest.fixture
def broker_pod(redis_pod: Pod, tmp_path: Path) -> Iterator[Pod]:
    directory = tmp_path / "broker"
    directory.mkdir()
    here = {
        "default-broker-pool-redis.shop.svc:6379": f"127.0.0.1:{redis_pod.port('redis')}",
        "9400": str(free_port()),
        "9401": str(free_port()),
        "9402": str(free_port()),
    }
    pod = Pod(broker_stateful_set(POOL, CREDENTIALS, DEFAULTS), _secret(), directory, here)
    yield pod
    pod.kill()


def _secret() -> dict[str, object]:
    return credentials.secret(POOL, CREDENTIALS)


def client(pod: Pod) -> redis.Redis:
    return redis.Redis(port=pod.port("redis"), password="a-password", decode_responses=True, socket_timeout=WITHIN)


def test_redis_takes_every_option_and_lets_in_who_knows_the_password(redis_pod: Pod) -> None:
    assert not redis_pod.passes("readinessProbe")
    redis_pod.start()
    with client(redis_pod) as connection:
        found = connection.config_get("*")
        assert found["maxmemory"] == str(384 * 2**20)
        assert (found["maxmemory-policy"], found["tcp-keepalive"]) == ("noeviction", "60")
        assert (found["appendonly"], found["appendfsync"], found["save"]) == ("yes", "always", "")
        assert found["dir"] == redis_pod.here["/data"]
        connection.set("a", 1)
    assert redis_pod.output("REDISCLI_AUTH= redis-cli ping").startswith("NOAUTH")
    assert redis_pod.stop() == 0
    redis_pod.start()
    with client(redis_pod) as connection:
        assert connection.get("a") == "1"


def test_a_redis_that_loads_is_alive_and_not_ready(redis_pod: Pod) -> None:
    redis_pod.start()
    with client(redis_pod) as connection, connection.pipeline(transaction=False) as pipe:
        for number in range(KEYS):
            pipe.set(str(number), number)
        pipe.execute()
    redis_pod.stop()
    command = redis_pod.command()
    # Microseconds a command: without a word from the test it loads for fifteen seconds.
    redis_pod.command = lambda: [*command, "--key-load-delay", "500"]  # type: ignore[method-assign]
    redis_pod.launch()
    until(lambda: redis_pod.passes("livenessProbe"))
    assert redis_pod.output("redis-cli ping").startswith("LOADING")
    assert not redis_pod.passes("readinessProbe")
    assert redis_pod.passes("livenessProbe")
    redis_pod.output("redis-cli config set key-load-delay 0")
    until(lambda: redis_pod.passes("readinessProbe"))


def test_a_bindings_key_opens_its_queue_at_brokers_that_are_started_beside_redis(
    broker_pod: Pod, redis_pod: Pod
) -> None:
    broker_pod.launch()
    until(lambda: broker_pod.passes("startupProbe") and broker_pod.passes("livenessProbe"))
    assert not broker_pod.passes("readinessProbe")
    redis_pod.start()
    until(lambda: broker_pod.passes("readinessProbe"))
    declare(broker_pod)
    binding = decoded(binding_secret(QUEUE, POOL, CREDENTIALS))
    here = f"http://127.0.0.1:{broker_pod.port('http')}"
    sqs = boto3.client(
        "sqs",
        endpoint_url=binding["AWS_ENDPOINT_URL_SQS"].replace("http://default-broker-pool.shop.svc:9400", here),
        aws_access_key_id=binding["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=binding["AWS_SECRET_ACCESS_KEY"],
        region_name=binding["AWS_REGION"],
    )
    sqs.send_message(QueueUrl=binding["queue-url"], MessageBody="a body")
    [message] = sqs.receive_message(QueueUrl=binding["queue-url"])["Messages"]
    assert message["Body"] == "a body"
    with client(redis_pod) as connection:
        assert any(key.startswith("{qt/default") for key in connection.scan_iter())
    assert broker_pod.stop() == 0


def declare(broker: Pod) -> None:
    """As the operator does."""
    manifest = QUEUE.model_dump(mode="json", by_alias=True, exclude_none=True)
    document = TopologyDocument(revision=(0, 1), entries=[entry(manifest, QUEUE.metadata.uid)])
    admin = f"http://127.0.0.1:{broker.port('admin')}/admin/v1/topology"
    request = urllib.request.Request(admin, document.model_dump_json(by_alias=True).encode(), method="PUT")
    request.add_header("Authorization", f"Bearer {CREDENTIALS.admin_token}")
    with urllib.request.urlopen(request, timeout=WITHIN) as response:
        [told] = json.load(response)["entries"]
    assert told["state"] == "Applied", told


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_pods_listen_on_ipv4_and_ipv6(broker_pod: Pod, redis_pod: Pod) -> None:
    redis_pod.start()
    broker_pod.start()
    for address in "127.0.0.1", "::1":
        assert redis_pod.listens(address, "redis")
        assert broker_pod.listens(address, "http")
        assert broker_pod.listens(address, "admin")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
