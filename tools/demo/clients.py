"""The two clients of the demo: unmodified boto3, and our own. Each sends every record and receives what comes."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import quintet
from tools.demo.account import Account

QUEUE = "orders"
DEAD_LETTER_QUEUE = "orders-dead-letter"
MAX_RECEIVES = 3
WINDOW = 100
"""Records that our client has under way."""
VISIBILITY = 2
"""Seconds after which a record comes again whose delivery was lost with the broker."""


class Boto3:
    """One call a record, as most programs have it."""

    name = "boto3"
    manner = "one call at a time"

    def __init__(self, url: str, account: Account, within: float) -> None:
        """Gives up after so many seconds."""
        self._deadline = time.monotonic() + within
        self._sqs: Any = boto3.client(
            "sqs",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            # Without a proxy, which boto3 would take for this machine's own addresses too.
            config=Config(retries={"max_attempts": 1}, read_timeout=10, proxies={}),
        )
        self._account = account
        self._stop = threading.Event()

    def send(self, records: list[bytes]) -> None:
        url = self._again(self._sqs.get_queue_url, QueueName=QUEUE)["QueueUrl"]
        for number, record in enumerate(records):
            place = {"sender": self.name, "number": str(number)}
            attributes = {name: {"DataType": "String", "StringValue": value} for name, value in place.items()}
            self._again(self._sqs.send_message, QueueUrl=url, MessageBody=record.decode(), MessageAttributes=attributes)
            self._account.confirm((self.name, number))

    @contextmanager
    def receiving(self) -> Iterator[None]:
        thread = threading.Thread(target=self._receive, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _receive(self) -> None:
        url = self._again(self._sqs.get_queue_url, QueueName=QUEUE)["QueueUrl"]
        while not self._stop.is_set():
            answer = self._again(
                self._sqs.receive_message,
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=VISIBILITY,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            for message in messages:
                place = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
                body = message["Body"].encode()
                self._account.take((place["sender"], int(place["number"])), message["MessageId"], body)
            if messages:
                entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
                self._again(self._sqs.delete_message_batch, QueueUrl=url, Entries=entries)

    def _again(self, call: Any, **arguments: Any) -> Any:
        """Repeat a call while the broker is away; a send whose answer was lost may so be stored twice."""
        while True:
            try:
                return call(**arguments)
            except (BotoCoreError, ClientError) as error:
                if self._is_final(error) or time.monotonic() > self._deadline:
                    raise
                time.sleep(0.05)

    @staticmethod
    def _is_final(error: BotoCoreError | ClientError) -> bool:
        return isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500


class Quintet:
    """Many records under way at once; it repeats lost requests by itself, and each is stored once."""

    name = "quintet"
    manner = f"{WINDOW} under way at once"

    def __init__(self, client: quintet.Client, account: Account) -> None:
        self._queue = client.queue(QUEUE)
        self._dead = client.queue(DEAD_LETTER_QUEUE)
        self._account = account

    async def send(self, records: list[bytes]) -> None:
        room = asyncio.Semaphore(WINDOW)

        async def send(number: int, record: bytes) -> None:
            await self._queue.send(record, headers={"sender": self.name, "number": str(number)})
            room.release()
            self._account.confirm((self.name, number))

        async with asyncio.TaskGroup() as group:
            for number, record in enumerate(records):
                await room.acquire()
                group.create_task(send(number, record))

    async def receive(self) -> None:
        """Until cancelled."""
        async with contextlib.aclosing(self._queue.receive(visibility_timeout=VISIBILITY)) as messages:
            async for message in messages:
                place = str(message.headers["sender"]), int(message.headers["number"])
                self._account.take(place, message.id, message.value)
                await message.acknowledge()

    async def until_empty(self) -> None:
        """Until every message is acknowledged, those too that were sent twice in doubt."""
        while await self._held():  # noqa: ASYNC110 - it is the broker that is asked
            await asyncio.sleep(0.02)

    async def _held(self) -> int:
        counts = (await self._queue.info()).counts
        return counts.visible + counts.in_flight

    async def dead_letter(self, record: bytes) -> bool:
        """Send a record that is given back at each delivery; whether it came to the dead-letter queue."""
        sent = await self._queue.send(record)
        for _ in range(MAX_RECEIVES):
            [message] = await self._queue.receive_batch(limit=1, wait=10)
            await message.release()
        [dead] = await self._dead.receive_batch(limit=1, wait=10)
        await dead.acknowledge()
        return dead.id == sent and dead.value == record
