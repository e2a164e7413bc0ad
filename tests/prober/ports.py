"""How a prober talks to a queue: a small protocol, and an implementation for each client."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from quintet.errors import RETRIED, ReceiptStale
from quintet.queue import Queue

THREADS = 64
"""Of a port to SQS."""
COUNTS = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
"""A queue's attributes."""
ANSWERS_WITHIN = 10
"""Seconds, for a request by SQS; a receive waits for a second or two of them."""


class Unanswered(Exception):
    """The request was refused as worth a retry, or nobody knows what became of it."""


@dataclass(frozen=True)
class Received:
    """One delivery."""

    body: str
    id: str
    handle: Any
    """What the client needs to acknowledge it."""


class Port(Protocol):
    """One queue, through one client. Every verb may raise Unanswered."""

    ordered: bool
    """Whether the queue promises order by key."""

    async def send(self, body: str, key: str) -> None:
        """Return once it is confirmed."""

    async def receive(self, limit: int, wait: float, visibility: float) -> list[Received]:
        """Up to `limit` messages; wait and visibility in seconds."""

    async def acknowledge(self, received: Sequence[Received]) -> list[bool]:
        """For each, whether its acknowledgement was confirmed."""

    async def held(self) -> int:
        """How many messages the queue has: visible, in flight and delayed."""


class QuintetPort:
    """Our client. Its sends happen once, however often it has to ask."""

    def __init__(self, queue: Queue, *, ordered: bool = False) -> None:
        self.ordered = ordered
        self._queue = queue

    async def send(self, body: str, key: str) -> None:
        with _unanswered():
            await self._queue.send(body, key=key)

    async def receive(self, limit: int, wait: float, visibility: float) -> list[Received]:
        with _unanswered():
            messages = await self._queue.receive_batch(limit, wait=wait, visibility_timeout=visibility)
        return [Received(message.text, message.id, message.receipt) for message in messages]

    async def acknowledge(self, received: Sequence[Received]) -> list[bool]:
        results = await asyncio.gather(
            *(self._queue.acknowledge(message.handle) for message in received), return_exceptions=True
        )
        return [_is_confirmed(result) for result in results]

    async def held(self) -> int:
        with _unanswered():
            counts = (await self._queue.info()).counts
        return counts.visible + counts.in_flight + counts.delayed


class GatedPort(QuintetPort):
    """Receives nothing until its gate is open."""

    def __init__(self, queue: Queue, *, ordered: bool = False) -> None:
        super().__init__(queue, ordered=ordered)
        self.gate = asyncio.Event()
        self.asking = 0
        """How many receives are under way."""

    async def receive(self, limit: int, wait: float, visibility: float) -> list[Received]:
        await self.gate.wait()
        self.asking += 1
        try:
            return await super().receive(limit, wait, visibility)
        finally:
            self.asking -= 1


@contextmanager
def _unanswered() -> Iterator[None]:
    try:
        yield
    except RETRIED as error:
        raise Unanswered(str(error)) from error


def _is_confirmed(result: BaseException | None) -> bool:
    if result is None or isinstance(result, (*RETRIED, ReceiptStale)):
        return result is None
    raise result


class RoamingPort:
    """Several ports to one queue, of which one is used: the next one after each request without an answer."""

    def __init__(self, ports: Sequence[Port]) -> None:
        self.ordered = ports[0].ordered
        self._ports = deque(ports)

    async def send(self, body: str, key: str) -> None:
        with self._leaving():
            await self._ports[0].send(body, key)

    async def receive(self, limit: int, wait: float, visibility: float) -> list[Received]:
        with self._leaving():
            return await self._ports[0].receive(limit, wait, visibility)

    async def acknowledge(self, received: Sequence[Received]) -> list[bool]:
        with self._leaving():
            return await self._ports[0].acknowledge(received)

    async def held(self) -> int:
        for port in list(self._ports):
            with suppress(Unanswered):
                return await port.held()
        raise Unanswered

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        try:
            yield
        except Unanswered:
            self._ports.rotate(-1)
            raise


class SqsPort:
    """Unmodified boto3, in threads that end with the `with`.

    What it asks again after a lost answer may be stored twice, but for a Fifo queue, where each body is stored once.
    """

    def __init__(
        self, url: str, queue: str, key_id: str = "any", secret: str = "any", *, ordered: bool = False
    ) -> None:
        self.ordered = ordered
        self._threads = ThreadPoolExecutor(THREADS)
        self._sqs = boto3.client(
            "sqs",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            # A pod that is gone with its node's network ends no connection: without a limit boto3 waits a minute.
            config=Config(max_pool_connections=THREADS, connect_timeout=ANSWERS_WITHIN, read_timeout=ANSWERS_WITHIN),
        )
        self._queue_url = f"{url}/000000000000/{queue}{'.fifo' * ordered}"

    def __enter__(self) -> "SqsPort":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._sqs.close()

    async def send(self, body: str, key: str) -> None:
        group = {"MessageGroupId": key, "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest()}
        await self._call(self._sqs.send_message, MessageBody=body, **(group if self.ordered else {}))

    async def receive(self, limit: int, wait: float, visibility: float) -> list[Received]:
        answer = await self._call(
            self._sqs.receive_message,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=round(wait),
            VisibilityTimeout=round(visibility),
        )
        return [
            Received(message["Body"], message["MessageId"], message["ReceiptHandle"])
            for message in answer.get("Messages", ())
        ]

    async def acknowledge(self, received: Sequence[Received]) -> list[bool]:
        entries = [{"Id": str(place), "ReceiptHandle": message.handle} for place, message in enumerate(received)]
        answer = await self._call(self._sqs.delete_message_batch, Entries=entries)
        confirmed = {entry["Id"] for entry in answer.get("Successful", ())}
        return [entry["Id"] in confirmed for entry in entries]

    async def held(self) -> int:
        answer = await self._call(self._sqs.get_queue_attributes, AttributeNames=COUNTS)
        return sum(int(answer["Attributes"][name]) for name in COUNTS)

    async def _call(self, verb: Callable[..., Any], **arguments: Any) -> Any:
        call = partial(verb, QueueUrl=self._queue_url, **arguments)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except BotoCoreError as error:
            raise Unanswered(str(error)) from error
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise
            raise Unanswered(str(error)) from error
