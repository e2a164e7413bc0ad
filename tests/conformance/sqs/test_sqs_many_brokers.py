"""What several brokers know together: any of them may be asked, and restarts change nothing."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance.sqs.clients import client, queue_name, receive
from tests.processes import Pool

WITHIN = 60
"""Seconds."""


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
    for number, one in enumerate(clients):
        clients[0].send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId=str(number))
        attempt = {"ReceiveRequestAttemptId": f"attempt-{number}", "MaxNumberOfMessages": 1}
        first = receive(one, url, **attempt)
        assert [message["Body"] for message in first] == [str(number)]
        for other in clients:
            assert receive(other, url, **attempt) == first


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
