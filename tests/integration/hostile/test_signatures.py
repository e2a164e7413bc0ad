"""Requests under wrong keys: refused before their bodies are read, where that can be known; others are served."""

import asyncio
import base64
import statistics
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from quintet_api.credentials import key_id, secret_key
from tests.integration.hostile.others import MIB
from tests.integration.hostile.sockets import Socket, connected, handshake, many, post, request
from tests.processes import Broker, RedisServer

FLOOD = 1_600
"""Requests; each under another key, or of another region."""
POOL = key_id("BrokerPool", "default", "default")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Broker]:
    directory = tmp_path_factory.mktemp("secured")
    broker = Broker(directory, redis_server.url, prefix=directory.name, auth=True)
    broker.start()
    yield broker
    broker.stop()


def basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


def right(broker: Broker) -> str:
    return basic(POOL, secret_key(broker.master_key.encode(), POOL))


def signed(number: int) -> bytes:
    """A request to SQS, whose signature is of the right form and wrong."""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    key = POOL if number % 2 else key_id("Queue", "default", f"none-{number}")
    credential = f"{key}/{at[:8]}/region-{number}{'x' * 2000}/sqs/aws4_request"
    return post(
        "/",
        {"QueueName": "x"},
        X_Amz_Target="AmazonSQS.GetQueueUrl",
        X_Amz_Date=at,
        Authorization=f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date;x-amz-target,"
        f" Signature={number:064x}",
    )


def unknown(number: int) -> bytes:
    """A request to /v1/ under a key that nobody has, or with a wrong secret."""
    key = POOL if number % 2 else key_id("Queue", "default", f"none-{number}")
    return post("/v1/queues/x/messages", {"messages": []}, Authorization=basic(key, f"secret-{number}"))


@pytest.mark.parametrize(("make", "status"), [(signed, 403), (unknown, 401)])
async def test_flood_of_wrong_keys(secured: Broker, make: Callable[[int], bytes], status: int) -> None:
    process = psutil.Process(secured.pid)
    before = process.memory_info().rss
    took = []
    async with many(8, secured) as sockets, connected(secured) as mine:
        floods = [
            asyncio.create_task(refused(socket, [make(number) for number in range(place, FLOOD, 8)], status))
            for place, socket in enumerate(sockets)
        ]
        while not all(flood.done() for flood in floods):
            began = time.monotonic()
            await mine.write(request("GET", "/v1/queues/none", [("Host", "x"), ("Authorization", right(secured))]))
            assert await mine.status() == 404
            took.append(time.monotonic() - began)
        await asyncio.gather(*floods)
    # Those who have a key wait for the requests before theirs, one of each who has none.
    assert statistics.median(took) < 1
    assert process.memory_info().rss - before < 16 * MIB


async def refused(socket: Socket, requests: list[bytes], status: int) -> None:
    for content in requests:
        await socket.write(content)
        assert await socket.status() == status


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic ?", "Basic //8=", basic(POOL, "wrong"), "Bearer x"])
async def test_body_is_not_read_under_a_wrong_key(secured: Broker, authorization: str) -> None:
    """The answer comes before it."""
    headers = [("Host", "x"), ("Authorization", authorization), ("Content-Length", str(15 * MIB))]
    async with connected(secured) as socket:
        await socket.write(request("POST", "/v1/queues/x/messages", headers))
        assert await socket.status() == 401
    async with connected(secured) as socket:
        await socket.write(handshake(Authorization=authorization))
        assert await socket.status() == 401
