"""Queues and their attributes with unmodified boto3."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.conformance.sqs.clients import ACCOUNT, ARN, client, queue_name, receive, refusal
from tests.processes import Broker, RedisServer

NewQueue = Callable[..., str]


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_a_queue_url_has_the_host_that_was_called(broker: Broker, protocol: str) -> None:
    name = queue_name()
    other = client(broker.http_url.replace("127.0.0.1", "localhost"), protocol)
    url = other.create_queue(QueueName=name)["QueueUrl"]
    assert url == f"http://localhost:{broker.settings['http_port']}/{ACCOUNT}/{name}"
    assert other.get_queue_url(QueueName=name)["QueueUrl"] == url
    other.close()


def test_a_queue_url_with_another_host_is_resolved_by_its_path(sqs: Any, queue: str) -> None:
    elsewhere = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{name_of(queue)}"
    sqs.send_message(QueueUrl=elsewhere, MessageBody="x")
    assert len(receive(sqs, queue)) == 1


def test_creating_a_queue_twice_needs_the_same_attributes(sqs: Any) -> None:
    name = queue_name()
    attributes = {"VisibilityTimeout": "7", "DelaySeconds": "0"}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    assert sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"] == url
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == url
    other = attributes | {"VisibilityTimeout": "8"}
    code, status, _ = refusal(sqs.create_queue, QueueName=name, Attributes=other)
    assert (code, status) == ("QueueAlreadyExists", 400)


def test_queues_are_listed_by_pages(sqs: Any) -> None:
    prefix = queue_name()
    urls = [sqs.create_queue(QueueName=f"{prefix}-{n}")["QueueUrl"] for n in range(5)]
    assert sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls
    pages = list(
        sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2}),
    )
    assert [page["QueueUrls"] for page in pages] == [urls[:2], urls[2:4], urls[4:]]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=f"{prefix}-none")


def test_all_attributes(sqs: Any, new_queue: NewQueue) -> None:
    dead = new_queue()
    given = {
        "DelaySeconds": "1",
        "MaximumMessageSize": "2048",
        "MessageRetentionPeriod": "1209600",
        "ReceiveMessageWaitTimeSeconds": "20",
        "VisibilityTimeout": "43200",
    }
    policy = {"deadLetterTargetArn": ARN + name_of(dead), "maxReceiveCount": 1000}
    url = new_queue(**given, RedrivePolicy=json.dumps(policy))
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(found.pop("RedrivePolicy")) == policy
    assert re.fullmatch("[0-9]{10}", found.pop("CreatedTimestamp"))
    assert re.fullmatch("[0-9]{10}", found.pop("LastModifiedTimestamp"))
    assert found == given | {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "QueueArn": ARN + name_of(url),
        "SqsManagedSseEnabled": "false",
    }


def test_attributes_by_name(sqs: Any, queue: str) -> None:
    names = ["VisibilityTimeout", "QueueArn", "FifoQueue", "RedrivePolicy"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    assert found == {"VisibilityTimeout": "30", "QueueArn": ARN + name_of(queue)}
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue)


def test_attributes_change(sqs: Any, new_queue: NewQueue) -> None:
    dead, url = new_queue(), new_queue(VisibilityTimeout="7")
    policy = json.dumps({"deadLetterTargetArn": ARN + name_of(dead), "maxReceiveCount": "5"})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy, "DelaySeconds": "3"})
    names = ["RedrivePolicy", "DelaySeconds", "VisibilityTimeout"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert json.loads(found["RedrivePolicy"])["maxReceiveCount"] == 5
    assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("3", "7")
    # An empty policy, and what asks for nothing, are taken.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": "", "SqsManagedSseEnabled": "false"})
    assert set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]) == set(names[1:])


def test_a_deleted_queue_is_gone(sqs: Any, queue: str) -> None:
    sqs.delete_queue(QueueUrl=queue)
    for verb, arguments in (
        (sqs.get_queue_url, {"QueueName": name_of(queue)}),
        (sqs.receive_message, {"QueueUrl": queue}),
        (sqs.delete_queue, {"QueueUrl": queue}),
    ):
        code, status, _ = refusal(verb, **arguments)
        assert (code, status) == ("AWS.SimpleQueueService.NonExistentQueue", 400)


@pytest.fixture(scope="module")
def declaring_broker(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Broker]:
    """A broker with one queue that is declared by a manifest."""
    broker = Broker(tmp_path_factory.mktemp("declaring"), redis_server.url, prefix="sqs-declared")
    broker.start()
    entry = {"kind": "Queue", "name": "orders", "uid": "1", "spec": {"visibilityTimeout": "45s"}}
    document = {"schemaVersion": 1, "revision": [1, 1], "entries": [entry]}
    headers = {"Authorization": f"Bearer {broker.admin_token}", "Content-Type": "application/json"}
    url = f"{broker.admin_url}/admin/v1/topology"
    with urlopen(Request(url, json.dumps(document).encode(), headers, method="PUT")) as response:
        assert response.status == 200
    yield broker
    broker.stop()


def test_a_declared_queue_belongs_to_its_manifest(declaring_broker: Broker, protocol: str) -> None:
    sqs = client(declaring_broker.http_url, protocol)
    url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "45"})["QueueUrl"]
    for verb, arguments in (
        (sqs.set_queue_attributes, {"Attributes": {"VisibilityTimeout": "46"}}),
        (sqs.delete_queue, {}),
    ):
        code, status, message = refusal(verb, QueueUrl=url, **arguments)
        assert (code, status) == ("AWS.SimpleQueueService.UnsupportedOperation", 400)
        assert "declared by a manifest" in message
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert len(receive(sqs, url)) == 1
    sqs.purge_queue(QueueUrl=url)
    sqs.close()
