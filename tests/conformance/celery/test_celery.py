"""Celery with SQS as its broker: real workers run tasks."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quintet_api.credentials import key_id, secret_key
from tests.conformance.celery.workers import WITHIN, Told, Worker
from tests.conformance.sqs.clients import client, queue_name
from tests.conformance.suites import packages
from tests.processes import Broker
from tools.shell import Failed

# What is fetched, once, takes a minute or two.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def _celery() -> None:
    try:
        packages.installed()
    except Failed as reason:
        pytest.skip(f"Celery cannot be had: {reason}")


@pytest.fixture
def worker_of(tmp_path: Path, broker: Broker) -> Iterator[Callable[..., Worker]]:
    """Makes workers, not started, on queues of the test's own."""
    made: list[Worker] = []
    prefix = f"{queue_name()}-"

    def make(name: str, endpoint: str = broker.http_url, **options: Any) -> Worker:
        made.append(Worker(tmp_path, endpoint, name, **{"queue_name_prefix": prefix} | options))
        return made[-1]

    yield make
    for worker in made:
        worker.kill()


def worked(count: int) -> Callable[[Told], bool]:
    return lambda told: sum(what == "worked" for what, _, _ in told) >= count


def is_empty(sqs: Any, url: str) -> bool:
    """Whether a queue comes to hold nothing, neither visible nor in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}:
            return True
        time.sleep(0.05)
    return False


def test_tasks_run_once_after_their_countdown_and_again_when_they_ask_for_it(worker_of: Callable[..., Worker]) -> None:
    worker = worker_of("worker")
    worker.start()
    began = time.time()
    worker.send("[work.delay(n) for n in range(20)]; work.apply_async([20], countdown=2); fail_twice.delay(21)")
    told = worker.told(worked(22))
    assert sorted(whom for what, whom, _ in told if what == "worked") == list(range(22))
    assert [whom for what, whom, _ in told if what == "tried"] == [0, 1, 2]
    (late,) = (when for what, whom, when in told if (what, whom) == ("worked", 20))
    assert late - began >= 2
    assert worker.stop() == 0


def test_a_task_that_is_acknowledged_late_is_delivered_again_when_its_worker_was_killed(
    worker_of: Callable[..., Worker], broker: Broker
) -> None:
    name = queue_name()
    # One process, so that nothing of the worker outlives it.
    options = {"pool": "solo", "queue_name_prefix": f"{name}-", "visibility_timeout": 5}
    killed, other = worker_of("killed", **options), worker_of("other", **options)
    killed.start()
    killed.send("hold.delay(1)")
    killed.told(lambda told: [what for what, _, _ in told] == ["began"])
    killed.kill()
    other.start()
    other.told(lambda told: [what for what, _, _ in told] == ["began", "began"])
    other.go_on()
    told = other.told(worked(1))
    assert [(what, whom) for what, whom, _ in told] == [("began", 1), ("began", 1), ("worked", 1)]
    sqs = client(broker.http_url)
    assert is_empty(sqs, sqs.get_queue_url(QueueName=f"{name}-celery")["QueueUrl"])


def test_a_predefined_queue_needs_its_own_key_alone(worker_of: Callable[..., Worker], secured_broker: Broker) -> None:
    master, url, name = secured_broker.master_key.encode(), secured_broker.http_url, queue_name()
    pool = key_id("BrokerPool", "default", "default")
    queue_url = client(url, key=pool, secret=secret_key(master, pool)).create_queue(QueueName=name)["QueueUrl"]
    key = key_id("Queue", "default", name)
    predefined = {"url": queue_url, "access_key_id": key, "secret_access_key": secret_key(master, key)}
    worker = worker_of("worker", url, queue_name_prefix="", predefined_queues={"celery": predefined})
    worker.start()
    worker.send("[work.delay(n) for n in range(5)]")
    told = worker.told(worked(5))
    assert sorted(whom for _, whom, _ in told) == list(range(5))
    assert is_empty(client(url, key=key, secret=secret_key(master, key)), queue_url)
