"""Unmodified clients of SQS, and queues of their own for tests."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from quintet_api.credentials import key_id, secret_key
from tests.processes import Broker

ACCOUNT = "000000000000"
QUICK = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=40)

_numbers = itertools.count()


def client(url: str, key: str = "anybody", secret: str = "anything") -> Any:
    """A boto3 client of SQS that does not retry."""
    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=QUICK,
    )


def queue_name() -> str:
    """One that no other test has."""
    return f"sqs-{next(_numbers)}"


@pytest.fixture(scope="session")
def sqs(broker: Broker) -> Iterator[Any]:
    made = client(broker.http_url)
    yield made
    made.close()


@pytest.fixture
def queue(sqs: Any) -> str:
    """QueueUrl of a new queue."""
    url: str = sqs.create_queue(QueueName=queue_name())["QueueUrl"]
    return url


@pytest.fixture
def new_queue(sqs: Any) -> Callable[..., str]:
    """Makes queues with attributes."""

    def make(**attributes: str) -> str:
        url: str = sqs.create_queue(QueueName=queue_name(), Attributes=attributes)["QueueUrl"]
        return url

    return make


@pytest.fixture
def signed(secured_broker: Broker) -> Iterator[Callable[..., Any]]:
    """Makes clients whose key is that of an object; `secret` overrides the right one."""
    made = []

    def make(kind: str, name: str, secret: str | None = None) -> Any:
        key = key_id(kind, "default", name)
        right = secret_key(secured_broker.master_key.encode(), key)
        made.append(client(secured_broker.http_url, key, secret or right))
        return made[-1]

    yield make
    for one in made:
        one.close()
