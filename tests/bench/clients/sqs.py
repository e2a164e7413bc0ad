"""SQS: queues of whatever speaks it, and a load generator in Go (`load/`) that costs a fraction of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import boto3

from tests.bench.flow import MESSAGE, Done, Run
from tests.cluster.kind.go import build
from tools.cache import home

CONNECTIONS = 32
LOAD = Path(__file__).parent.parent / "load"


class SqsServer(Protocol):
    def new_name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def access_key(self) -> tuple[str, str]:
        """Its id and its secret."""


def boto3_client(server: SqsServer) -> Any:
    key, secret = server.access_key
    return boto3.client(
        "sqs",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


@asynccontextmanager
async def sqs_queue(server: SqsServer) -> AsyncIterator[tuple[Any, str]]:
    """A new queue: a boto3 client, and its URL for that."""
    client = boto3_client(server)
    created = await asyncio.to_thread(client.create_queue, QueueName=server.new_name())
    yield client, created["QueueUrl"]
    await asyncio.to_thread(client.delete_queue, QueueUrl=created["QueueUrl"])
    client.close()


@cache
def generator() -> Path:
    """The program. Raises Failed."""
    return build(LOAD, home() / "bin")


async def load(queue_url: str, messages: int, batch: int, *more: str) -> dict[str, Any]:
    """Bring messages through a queue of anything that speaks SQS; what was measured, as `load/main.go` says it.

    Raises RuntimeError; Failed where there is no Go.
    """
    asked = {"queue-url": queue_url, "messages": messages, "batch": batch, "size": len(MESSAGE)}
    asked["connections"] = CONNECTIONS
    process = await asyncio.create_subprocess_exec(
        str(generator()),
        *(f"-{name}={value}" for name, value in asked.items()),
        *more,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        told, failure = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the load generator failed: {failure.decode()}")
    measured: dict[str, Any] = json.loads(told)
    return measured


def sqs_load(batch: int, signed: bool = False) -> Callable[[Any], AbstractAsyncContextManager[Run]]:
    """Send, receive and delete so many messages a request."""

    @asynccontextmanager
    async def contender(server: SqsServer) -> AsyncIterator[Run]:
        generator()
        key, secret = server.access_key
        more = [f"-key-id={key}", f"-secret={secret}"] if signed else []
        async with sqs_queue(server) as (_, queue_url):

            async def bring(count: int) -> Done:
                await load(queue_url, count, batch, *more)
                return Done(count)

            yield bring

    return contender
