"""The client: one connection pool to a broker, and the queues behind it."""

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from weakref import WeakSet

from quintet import wire
from quintet.errors import ClientClosed
from quintet.queue import Queue
from quintet.receiver import Receiver

if TYPE_CHECKING:
    from quintet.transport import Transport

URL, KEY_ID, SECRET = "AWS_ENDPOINT_URL_SQS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
"""The variables of a binding, which AWS's SDKs read too."""


class Client:
    """Made by `connect`; open inside `async with`. Belongs to the event loop that it was opened in."""

    def __init__(self, url: str, key_id: str | None, secret: str | None, timeout: float) -> None:
        self.timeout = timeout
        """Seconds for which a verb tries again what fails in passing."""
        self.receivers: WeakSet[Receiver] = WeakSet()
        self._address = url, key_id, secret
        self._transport: Transport | None = None
        self._queues: dict[str, Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def transport(self) -> "Transport":
        """Raises ClientClosed."""
        if self._transport is None:
            raise ClientClosed
        return self._transport

    async def __aenter__(self) -> "Client":
        # aiohttp takes most of the time of importing the client: it is not loaded before it is used.
        from quintet.transport import Transport

        self._transport = Transport(*self._address, self.timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Release what was fetched and not handed out, let end what is under way, and close the connections.

        Takes as long as the timeout, at most; what is still under way then raises ClientClosed.
        """
        if self._transport is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.timeout):
                await self._settle()
        transport, self._transport = self._transport, None
        await transport.close()

    async def _settle(self) -> None:
        # A receiver that was just dropped gives back in the loop's next turn.
        await asyncio.sleep(0)
        for receiver in list(self.receivers):
            await receiver.aclose()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for queue in self._queues.values():
            await queue.idle()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for but `close`."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def queue(self, name: str) -> Queue:
        """The queue of that name, there or not; always the same object, since it gathers what is asked of it."""
        if name not in self._queues:
            self._queues[name] = Queue(name, self)
        return self._queues[name]

    async def queues(self, prefix: str = "") -> list[wire.QueueInfo]:
        """The queues whose name begins with `prefix`, sorted by name."""
        answer = await self.transport.call("GET", f"/v1/queues?{urlencode({'prefix': prefix})}")
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
        answer = await self.transport.call(method, self.queue(name).path, wire.encode(spec))
        return wire.decode(answer, wire.QueueInfo)

    async def delete_queue(self, name: str) -> None:
        """Delete a queue and its messages. Raises QueueNotFound, QueueDeclared."""
        await self.transport.call("DELETE", self.queue(name).path)


def connect(
    url: str | None = None, *, key_id: str | None = None, secret: str | None = None, timeout: float = 30.0
) -> Client:
    """A client of the broker at `url`, to be opened by `async with`.

    Without `url` the environment of a binding is read: AWS_ENDPOINT_URL_SQS, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
    `timeout`: seconds for which a verb tries again what fails in passing. Raises ValueError.
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
    return Client(url, key_id, secret, timeout)
