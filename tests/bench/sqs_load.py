"""SQS from a load generator in Go (`load/`), which costs a fraction of what the broker does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.flow import MESSAGE, Run
from tests.bench.runner import Missing
from tests.bench.system import System
from tests.cluster.kind.go import build
from tools.cache import home
from tools.shell import Failed

CONNECTIONS = 32


@cache
def generator() -> Path:
    """The program. Raises Missing."""
    try:
        return build(Path(__file__).parent / "load", home() / "bin")
    except Failed as error:
        raise Missing(str(error)) from error


async def load(queue_url: str, messages: int, batch: int, *more: str) -> dict[str, Any]:
    """Bring messages through a queue of anything that speaks SQS; what was measured, as `load/main.go` says it.

    Raises Missing, RuntimeError.
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


def sqs_load(batch: int) -> Callable[[System], AbstractAsyncContextManager[Run]]:
    """Send, receive and delete so many messages a request."""

    @asynccontextmanager
    async def contender(system: System) -> AsyncIterator[Run]:
        generator()
        name = system.new_name()
        headers = {"X-Amz-Target": "AmazonSQS.CreateQueue"}
        async with aiohttp.ClientSession(system.broker.http_url, raise_for_status=True) as session:
            async with session.post("/", json={"QueueName": name}, headers=headers) as answer:
                queue_url = (await answer.json(content_type=None))["QueueUrl"]

            async def run(count: int) -> None:
                await load(queue_url, count, batch)

            yield run
            await session.delete(f"/v1/queues/{name}")

    return contender
