"""Clients of a running broker, in both protocols, and queues of their own for tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quintet_api.credentials import key_id, secret_key
from tests.conformance.sqs.clients import client, queue_name
from tests.processes import Broker


@pytest.fixture(scope="session", params=["json", "query"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def sqs(broker: Broker, protocol: str) -> Iterator[Any]:
    made = client(broker.http_url, protocol)
    yield made
    made.close()


@pytest.fixture
def new_queue(sqs: Any) -> Callable[..., str]:
    """Makes queues with attributes; answers their QueueUrls."""

    def make(**attributes: str) -> str:
        url: str = sqs.create_queue(QueueName=queue_name(), Attributes=attributes)["QueueUrl"]
        return url

    return make


@pytest.fixture
def queue(new_queue: Callable[..., str]) -> str:
    """QueueUrl of a new queue."""
    return new_queue()


@pytest.fixture
def keyed(secured_broker: Broker, protocol: str) -> Iterator[Callable[..., Any]]:
    """Makes clients with an object's key; `secret` overrides the right one."""
    made = []

    def make(kind: str, name: str, secret: str = "") -> Any:
        key = key_id(kind, "default", name)
        right = secret_key(secured_broker.master_key.encode(), key)
        made.append(client(secured_broker.http_url, protocol, key, secret or right))
        return made[-1]

    yield make
    for one in made:
        one.close()
