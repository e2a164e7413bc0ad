"""What several brokers know together: any of them may be asked, and restarts change nothing."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.sqs.clients import client, queue_name, receive
from tests.processes import Pool

WITHIN = 60
"""Seconds."""


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Three brokers, of which none takes over from another that is slow."""
    pool = Pool(tmp_path, lease=WITHIN)
    pool.start()
    yield pool
    pool.kill()


@pytest.fixture
def clients(pool: Pool) -> Iterator[list[Any]]:
    """One for each broker."""
    made = [client(broker.http_url) for broker in pool.brokers]
    yield made
    for one in made:
        one.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_a_receive_may_be_tried_again_at_any_broker(clients: list[Any]) -> None:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "600"}
    url = clients[0].create_queue(QueueName=f"{queue_name()}.fifo", Attributes=attributes)["QueueUrl"]
    tries = itertools.count()

    def is_the_same_at_all(one: Any) -> bool:
        name = str(next(tries))
        attempt = {"ReceiveRequestAttemptId": name, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 5}
        try:
            one.send_message(QueueUrl=url, MessageBody=name, MessageGroupId=name)
            first = receive(one, url, **attempt)
            return len(first) == 1 and all(receive(other, url, **attempt) == first for other in clients)
        except ClientError:
            return False

    for one in clients:
        # While brokers come, the queue may move: what was remembered of it is forgotten, and somebody may be refused.
        until(lambda one=one: is_the_same_at_all(one))  # type: ignore[misc]


def test_tags_and_policies_are_known_to_all_and_outlive_restarts(pool: Pool, clients: list[Any]) -> None:
    policy = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}}
    given = {"Policy": json.dumps(policy), "KmsMasterKeyId": "alias/orders"}
    tags = {"team": "blue"}
    url = clients[0].create_queue(QueueName=queue_name(), Attributes=given, tags=tags)["QueueUrl"]

    def knows(sqs: Any) -> bool:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(given))["Attributes"]
        return bool(found == given and sqs.list_queue_tags(QueueUrl=url)["Tags"] == tags)

    assert all(map(knows, clients))
    tags["team"] = "red"
    clients[1].tag_queue(QueueUrl=url, Tags=tags)
    for one in clients:
        until(lambda one=one: knows(one))  # type: ignore[misc]
    for broker in pool.brokers:
        broker.kill()
    for broker in pool.brokers:
        broker.launch()
    for broker in pool.brokers:
        broker.wait_until_up()
    assert all(map(knows, clients))
