"""Keys, and the environment that a binding sets."""

import uuid

import pytest

import quintet
from quintet_api.credentials import key_id, secret_key
from tests.processes import Broker


def _connect(broker: Broker, kind: str, name: str, secret: str | None = None) -> quintet.Client:
    key = key_id(kind, "default", name)
    return quintet.connect(broker.http_url, key_id=key, secret=secret or _secret(broker, key))


def _secret(broker: Broker, key: str) -> str:
    return secret_key(broker.master_key.encode(), key)


@pytest.fixture
async def name(secured_broker: Broker) -> str:
    """Of a new queue."""
    name = f"sdk-{uuid.uuid4().hex[:8]}"
    async with _connect(secured_broker, "BrokerPool", "default") as client:
        await client.create_queue(name)
    return name


async def test_key_opens_its_queue_and_no_other(secured_broker: Broker, name: str) -> None:
    async with _connect(secured_broker, "Queue", name) as client:
        await client.queue(name).send("a")
        with pytest.raises(quintet.AccessDenied):
            await client.queue("another").send("a")
        with pytest.raises(quintet.AccessDenied):
            await client.queues()


async def test_wrong_and_missing_keys_are_refused(secured_broker: Broker, name: str) -> None:
    for client in _connect(secured_broker, "Queue", name, "wrong"), quintet.connect(secured_broker.http_url):
        async with client:
            with pytest.raises(quintet.UnknownKey):
                await client.queue(name).send("a")


async def test_environment_of_a_binding(secured_broker: Broker, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_id("Queue", "default", name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", secured_broker.http_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _secret(secured_broker, key))
    async with quintet.connect() as client:
        await client.queue(name).send("a")
    async with quintet.connect(secured_broker.http_url) as client:
        with pytest.raises(quintet.UnknownKey):
            await client.queue(name).send("a")
