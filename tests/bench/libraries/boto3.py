"""SQS by boto3, whose calls run in threads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.clients.client import Client
from tests.bench.clients.sqs import SqsServer, sqs_queue
from tests.bench.flow import MESSAGE

BATCH = 10
"""SQS takes no more in a request."""


class Boto3:
    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    async def send(self, count: int) -> None:
        entries = [{"Id": str(number), "MessageBody": MESSAGE} for number in range(count)]
        await asyncio.to_thread(self._sqs.send_message_batch, QueueUrl=self._url, Entries=entries)

    async def settle(self) -> int:
        return await asyncio.to_thread(self._settle)

    def _settle(self) -> int:
        asked = {"MaxNumberOfMessages": BATCH, "WaitTimeSeconds": 1}
        messages = self._sqs.receive_message(QueueUrl=self._url, **asked).get("Messages", [])
        if messages:
            entries = [{"Id": str(n), "ReceiptHandle": found["ReceiptHandle"]} for n, found in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return len(messages)

    async def finish(self) -> None:
        pass


@asynccontextmanager
async def boto3_threads(server: SqsServer) -> AsyncIterator[Client]:
    async with sqs_queue(server) as (sqs, url):
        yield Boto3(sqs, url)
