"""Basic credentials on /v1/: who may do what."""

import base64
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from quintet_api.credentials import key_id, secret_key
from tests.conformance.sqs.clients import client
from tests.processes import Broker


class Door:
    """Asks under one key or another; answers with the status and the problem's name."""

    def __init__(self, session: aiohttp.ClientSession, broker: Broker, queue: str) -> None:
        self.queue = queue
        self.pool = key_id("BrokerPool", "default", "default")
        self.own = key_id("Queue", "default", queue)
        self._session = session
        self._broker = broker

    def basic(self, key: str, secret: str | None = None) -> str:
        secret = secret_key(self._broker.master_key.encode(), key) if secret is None else secret
        return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()

    async def ask(self, authorization: str | None, method: str, path: str, body: Any = None) -> tuple[int, str | None]:
        headers = {"Authorization": authorization} if authorization else {}
        async with self._session.request(method, self._broker.http_url + path, json=body, headers=headers) as response:
            if response.status < 400:
                return response.status, None
            assert response.content_type == "application/problem+json"
            if response.status == 401:
                assert response.headers["WWW-Authenticate"] == 'Basic realm="quintet"'
            return response.status, (await response.json(content_type=None))["type"].removeprefix(
                "urn:quintet:problem:"
            )

    async def send(self, authorization: str | None, queue: str) -> tuple[int, str | None]:
        return await self.ask(authorization, "POST", f"/v1/queues/{queue}/messages", {"messages": [{"value": "a"}]})

    async def receive(self, authorization: str | None, queue: str) -> tuple[int, str | None]:
        return await self.ask(authorization, "POST", f"/v1/queues/{queue}/messages:receive", {})


@pytest.fixture
async def door(secured_broker: Broker) -> AsyncIterator[Door]:
    """Of a queue `<name>` whose dead-letter queue is `<name>-dead`, beside a foreign one, `<name>-other`."""
    async with aiohttp.ClientSession() as session:
        door = Door(session, secured_broker, f"access-{uuid.uuid4().hex[:8]}")
        dead = {"deadLetter": {"queue": f"{door.queue}-dead"}}
        for name, spec in (f"{door.queue}-dead", {}), (f"{door.queue}-other", {}), (door.queue, dead):
            assert await door.ask(door.basic(door.pool), "PUT", f"/v1/queues/{name}", spec) == (200, None)
        yield door


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Basic", "Basic ?", "Bearer abc", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Basic Og=="],
)
async def test_without_readable_credentials_nothing_goes(door: Door, authorization: str | None) -> None:
    assert await door.send(authorization, door.queue) == (401, "UnknownKey")


async def test_wrong_secret_and_unknown_keys_are_refused(door: Door) -> None:
    foreign = key_id("Queue", "elsewhere", door.queue)
    other = secret_key(b"another master key", door.own)
    for authorization in door.basic(door.own, "wrong"), door.basic(door.own, other), door.basic(foreign):
        assert await door.send(authorization, door.queue) == (401, "UnknownKey")
    assert await door.send(door.basic("nonsense", "x"), door.queue) == (401, "UnknownKey")


async def test_key_of_a_queue_may_use_it(door: Door) -> None:
    own = door.basic(door.own)
    assert await door.send(own, door.queue) == (200, None)
    assert await door.receive(own, door.queue) == (200, None)
    assert await door.ask(own, "GET", f"/v1/queues/{door.queue}") == (200, None)


async def test_key_of_a_queue_may_receive_from_its_dead_letter_queue_only(door: Door) -> None:
    own = door.basic(door.own)
    assert await door.receive(own, f"{door.queue}-dead") == (200, None)
    assert await door.send(own, f"{door.queue}-dead") == (403, "AccessDenied")


async def test_key_of_a_queue_may_redrive_from_its_dead_letter_queue_to_itself_only(door: Door) -> None:
    own, dead = door.basic(door.own), f"/v1/queues/{door.queue}-dead:redrive"
    for method in "POST", "GET", "DELETE":
        assert await door.ask(own, method, dead) == (200, None)
    assert await door.ask(own, "POST", dead, {"target": door.queue}) == (200, None)
    assert await door.ask(own, "POST", dead, {"target": f"{door.queue}-other"}) == (403, "AccessDenied")
    assert await door.ask(own, "POST", f"/v1/queues/{door.queue}-other:redrive") == (403, "AccessDenied")


async def test_key_of_a_queue_may_not_use_a_foreign_one(door: Door) -> None:
    own, foreign = door.basic(door.own), f"{door.queue}-other"
    assert await door.send(own, foreign) == (403, "AccessDenied")
    assert await door.receive(own, foreign) == (403, "AccessDenied")
    assert await door.ask(own, "GET", f"/v1/queues/{foreign}") == (403, "AccessDenied")
    # Nor learn which queues there are.
    assert await door.receive(own, f"{door.queue}-not-there") == (403, "AccessDenied")


async def test_key_of_a_queue_may_not_manage(door: Door) -> None:
    own, path = door.basic(door.own), f"/v1/queues/{door.queue}"
    for method, where in (
        ("GET", "/v1/queues"),
        ("PUT", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}:purge"),
    ):
        assert await door.ask(own, method, where, {}) == (403, "AccessDenied")


async def test_key_of_the_pool_may_do_everything(door: Door) -> None:
    pool, path = door.basic(door.pool), f"/v1/queues/{door.queue}-other"
    assert await door.ask(pool, "GET", "/v1/queues") == (200, None)
    assert await door.send(pool, door.queue) == (200, None)
    assert await door.ask(pool, "POST", f"{path}:purge") == (204, None)
    assert await door.ask(pool, "DELETE", path) == (204, None)


async def test_openapi_document_is_open_to_all(door: Door) -> None:
    assert await door.ask(None, "GET", "/v1/openapi.json") == (200, None)


async def test_a_policy_of_sqs_holds_here_too(door: Door, secured_broker: Broker) -> None:
    foreign = f"{door.queue}-other"
    sqs = client(secured_broker.http_url, "json", door.pool, secret_key(secured_broker.master_key.encode(), door.pool))
    url = sqs.get_queue_url(QueueName=foreign)["QueueUrl"]
    sqs.add_permission(QueueUrl=url, Label="guest", AWSAccountIds=[door.own], Actions=["SendMessage"])
    sqs.close()
    own = door.basic(door.own)
    assert await door.send(own, foreign) == (200, None)
    assert await door.receive(own, foreign) == (403, "AccessDenied")
