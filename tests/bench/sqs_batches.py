"""SQS without boto3, which costs more than the broker: the bodies that boto3 sends, over aiohttp."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import msgspec

from tests.bench.flow import MESSAGE, Run, flow
from tests.bench.system import System

BATCH = 10
"""SQS takes no more in a request."""
CONNECTIONS = 32


@asynccontextmanager
async def sqs_batches(system: System) -> AsyncIterator[Run]:
    """AWS JSON 1.0, 10 messages a request."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def call(operation: str, **body: Any) -> Any:
            headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
            data = msgspec.json.encode(body)
            async with session.post(
                system.broker.http_url, data=data, headers=headers, raise_for_status=True
            ) as answer:
                return msgspec.json.decode(await answer.read() or b"{}")

        async def send(count: int) -> None:
            entries = [{"Id": str(place), "MessageBody": MESSAGE} for place in range(count)]
            answer = await call("SendMessageBatch", QueueUrl=url, Entries=entries)
            assert len(answer["Successful"]) == count

        async def settle() -> int:
            answer = await call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=1)
            messages = answer.get("Messages", [])
            if not messages:
                return 0
            entries = [{"Id": str(n), "ReceiptHandle": found["ReceiptHandle"]} for n, found in enumerate(messages)]
            answer = await call("DeleteMessageBatch", QueueUrl=url, Entries=entries)
            return len(answer["Successful"])

        url = (await call("CreateQueue", QueueName=system.new_name()))["QueueUrl"]
        half = CONNECTIONS // 2
        yield partial(flow, batch=BATCH, send=send, settle=settle, producers=half, consumers=half)
        await call("DeleteQueue", QueueUrl=url)
