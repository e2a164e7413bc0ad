"""The client: where it begins, and the verbs that concern whole queues."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from quintet import tracing, wire
from quintet.coalescer import Gathering
from quintet.connection import Connection
from quintet.queue import Queue

URL, KEY_ID, SECRET = "AWS_ENDPOINT_URL_SQS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
"""The variables of a binding, which AWS's SDKs read too."""
MOST_MESSAGES = 10_000
MOST_BYTES = 16 * 1024 * 1024
"""Of a send, as brokers take it."""


class Client:
    """Made by `connect`; open inside `async with`. Belongs to the event loop that it was opened in."""

    def __init__(self, url: str, key_id: str | None, secret: str | None, timeout: float, sends: Gathering) -> None:
        self._connection = Connection(url, key_id, secret, timeout, sends)
        self._queues: dict[str, Queue] = {}

    async def __aenter__(self) -> "Client":
        self._connection.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Release what is held and not handed out, let end what is under way, and close the connections.

        Takes as long as the timeout, at most; what is still under way then raises ClientClosed.
        """
        await self._connection.close()

    def queue(self, name: str) -> Queue:
        """The queue of that name, there or not; always the same object, since it gathers what is asked of it."""
        if name not in self._queues:
            self._queues[name] = tracing.queue_kind()(name, self._connection)
        return self._queues[name]

    async def queues(self, prefix: str = "") -> list[wire.QueueInfo]:
        """The queues whose name begins with `prefix`, sorted by name."""
        answer = await self._connection.transport.call("GET", f"/v1/queues?{urlencode({'prefix': prefix})}")
        return wire.decode(answer, wire.Queues).queues

    async def create_queue(self, name: str, spec: Mapping[str, Any] | None = None) -> wire.QueueInfo:
        """Create a queue with fields of a Queue manifest's spec; one that is there must have the same.

        Raises QueueExists, InvalidArgument, Unsupported, DeadLetterQueueNotFound.
        """
        return await self._put("PUT", name, spec or {})

    async def update_queue(self, name: str, spec: Mapping[str, Any]) -> wire.QueueInfo:
        """Change fields of a queue's spec; None sets a field back to its default.

        Raises QueueNotFound, QueueDeclared, InvalidArgument, Unsupported, DeadLetterQueueNotFound.
        """
        return await self._put("PATCH", name, spec)

    async def _put(self, method: str, name: str, spec: Mapping[str, Any]) -> wire.QueueInfo:
        answer = await self._connection.transport.call(method, wire.path(name), wire.encode(spec))
        return wire.decode(answer, wire.QueueInfo)

    async def delete_queue(self, name: str) -> None:
        """Delete a queue and its messages. Raises QueueNotFound, QueueDeclared."""
        await self._connection.transport.call("DELETE", wire.path(name))


def connect(
    url: str | None = None,
    *,
    key_id: str | None = None,
    secret: str | None = None,
    timeout: float = 30.0,
    linger: float = 0.0,
    batch_messages: int = 1000,
    batch_bytes: int = 256 * 1024,
) -> Client:
    """A client of the broker at `url`, to be opened by `async with`.

    Without `url` the environment of a binding is read: AWS_ENDPOINT_URL_SQS, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
    `timeout`: seconds for which a verb tries again what fails in passing.
    Sends to a queue that run while one is under way go together, up to `batch_messages` (1 - 10,000) and `batch_bytes`
    (up to 16 MiB). `linger`: seconds for which they wait for more even if none is under way; 0 has the least latency,
    and a busy client has large batches all the same. Raises ValueError.
    """
    if url is None:
        url = os.environ.get(URL)
        key_id, secret = key_id or os.environ.get(KEY_ID), secret or os.environ.get(SECRET)
        if not url:
            raise ValueError(f"Give a url, or set {URL}.")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ValueError(f"Not the URL of a broker: {url!r}; it looks like http://host:9400.")
    if bool(key_id) != bool(secret):
        raise ValueError("Give both key_id and secret, or neither.")
    if not timeout > 0:
        raise ValueError(f"timeout: more than 0 seconds are wanted, not {timeout}.")
    if not 0 <= linger < timeout:
        raise ValueError(f"linger: 0 seconds up to the timeout are wanted, not {linger}.")
    if not 1 <= batch_messages <= MOST_MESSAGES:
        raise ValueError(f"batch_messages: 1 to {MOST_MESSAGES} are wanted, not {batch_messages}.")
    if not 1 <= batch_bytes <= MOST_BYTES:
        raise ValueError(f"batch_bytes: 1 to {MOST_BYTES} are wanted, not {batch_bytes}.")
    return Client(url, key_id, secret, timeout, Gathering(linger, batch_messages, batch_bytes))
