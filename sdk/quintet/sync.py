"""The client without asyncio: each verb runs on the asynchronous client, in the event loop of a thread.

The verbs are those of `quintet`, described there. They may be called from any thread; sends of many threads go together
in one request.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

import quintet
from quintet.errors import ClientClosed
from quintet.looking import Peeked, Tailed
from quintet.message import Content, NewMessage
from quintet.wire import QueueInfo, Redrive

Result = TypeVar("Result")


class Runner:
    """An event loop in a thread of its own, between `start` and `stop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """`loop`: one that runs already, and is not to be started or stopped."""
        self._loop = loop
        self._thread: threading.Thread | None = None
        self._changing = threading.Lock()
        """Held by who gives work to the loop or takes it away: nothing is given to one that stops."""

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="quintet", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What still runs is cancelled, and raises ClientClosed."""
        with self._changing:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        assert self._thread is not None
        asyncio.run_coroutine_threadsafe(_end_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something of the asynchronous client; what interrupts the wait cancels it. Raises ClientClosed."""
        with self._changing:
            if self._loop is None:
                work.close()
                raise ClientClosed
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ClientClosed from None
        finally:
            # Where the wait was interrupted, by Ctrl-C perhaps; what is done cannot be cancelled.
            future.cancel()


class Client:
    """`quintet.Client`; made by `connect`, open inside `with`."""

    def __init__(self, client: quintet.Client) -> None:
        self._client = client
        self._runner = Runner()

    def __enter__(self) -> "Client":
        self._runner.start()
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """See quintet.Client.close."""
        with contextlib.suppress(ClientClosed):
            self._runner.run(self._client.close())
        self._runner.stop()

    def queue(self, name: str) -> "Queue":
        """See quintet.Client.queue."""
        return Queue(self._runner, self._client.queue(name))

    def queues(self, prefix: str = "") -> list[QueueInfo]:
        """See quintet.Client.queues."""
        return self._runner.run(self._client.queues(prefix))

    def create_queue(self, name: str, spec: Mapping[str, Any] | None = None) -> QueueInfo:
        """See quintet.Client.create_queue."""
        return self._runner.run(self._client.create_queue(name, spec))

    def update_queue(self, name: str, spec: Mapping[str, Any]) -> QueueInfo:
        """See quintet.Client.update_queue."""
        return self._runner.run(self._client.update_queue(name, spec))

    def delete_queue(self, name: str) -> None:
        """See quintet.Client.delete_queue."""
        self._runner.run(self._client.delete_queue(name))


class Message(Content, frozen=True, eq=False, gc=False):
    """quintet.Message."""

    queue: "Queue"

    def acknowledge(self) -> None:
        """See quintet.Message.acknowledge."""
        self.queue.acknowledge(self)

    def release(self, *, delivered: bool = True) -> None:
        """See quintet.Message.release."""
        self.queue.release(self, delivered=delivered)

    def extend(self, seconds: float) -> None:
        """See quintet.Message.extend."""
        self.queue.extend(self, seconds)


class Queue:
    """quintet.Queue."""

    def __init__(self, runner: Runner, queue: quintet.Queue) -> None:
        self.name = queue.name
        self._run = runner.run
        self._queue = queue

    def send(
        self,
        value: str | bytes,
        *,
        key: str | bytes | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        delay: float | None = None,
        priority: int | None = None,
        expiry: float | None = None,
        deduplication_id: str | None = None,
    ) -> str:
        """See quintet.Queue.send."""
        message = NewMessage(value, key, headers or {}, delay, priority, expiry, deduplication_id)
        [message_id] = self.send_batch([message])
        return message_id

    def send_batch(self, messages: Sequence[NewMessage | str | bytes]) -> list[str]:
        """See quintet.Queue.send_batch."""
        return self._run(self._queue.send_batch(messages))

    def receive(
        self,
        *,
        visibility_timeout: float | None = None,
        wait: float | None = None,
        ahead: int | None = None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> Iterator[Message]:
        """See quintet.Queue.receive; to be read by `for`."""
        receiver = self._run(self._receiver(visibility_timeout, wait, ahead, selector, consumer))
        try:
            while found := self._run(_next(receiver)):
                yield self._message(found)
        finally:
            # A client that is closed has released everything.
            with contextlib.suppress(ClientClosed):
                self._run(receiver.aclose())

    async def _receiver(
        self,
        visibility_timeout: float | None,
        wait: float | None,
        ahead: int | None,
        selector: str | None,
        consumer: str | None,
    ) -> quintet.Receiver:
        return self._queue.receive(
            visibility_timeout=visibility_timeout, wait=wait, ahead=ahead, selector=selector, consumer=consumer
        )

    def receive_batch(
        self,
        limit: int = 10,
        *,
        wait: float | None = None,
        visibility_timeout: float | None = None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> list[Message]:
        """See quintet.Queue.receive_batch."""
        receiving = self._queue.receive_batch(
            limit, wait=wait, visibility_timeout=visibility_timeout, selector=selector, consumer=consumer
        )
        found = self._run(receiving)
        return [self._message(message) for message in found]

    def close_consumer(self, consumer: str) -> None:
        """See quintet.Queue.close_consumer."""
        self._run(self._queue.close_consumer(consumer))

    def _message(self, found: quintet.Message) -> Message:
        return Message(found._delivery, found._place, found.value, found._key, found._headers, self)

    def acknowledge(self, message: Content | str) -> None:
        """See quintet.Queue.acknowledge."""
        self._run(self._queue.acknowledge(message))

    def acknowledge_batch(self, messages: Sequence[Content | str]) -> None:
        """See quintet.Queue.acknowledge_batch."""
        self._run(self._queue.acknowledge_batch(messages))

    def release(self, message: Content | str, *, delivered: bool = True) -> None:
        """See quintet.Queue.release."""
        self._run(self._queue.release(message, delivered=delivered))

    def release_batch(self, messages: Sequence[Content | str]) -> None:
        """See quintet.Queue.release_batch."""
        self._run(self._queue.release_batch(messages))

    def extend(self, message: Content | str, seconds: float) -> None:
        """See quintet.Queue.extend."""
        self._run(self._queue.extend(message, seconds))

    def peek(self, limit: int = 10, *, start: str | None = None) -> Peeked:
        """See quintet.Queue.peek."""
        return self._run(self._queue.peek(limit, start=start))

    def tail(self, limit: int = 100, *, start: str | None = None, since: int | None = None) -> Tailed:
        """See quintet.Queue.tail."""
        return self._run(self._queue.tail(limit, start=start, since=since))

    def purge(self) -> None:
        """See quintet.Queue.purge."""
        self._run(self._queue.purge())

    def redrive(self, to: str | None = None, *, rate: float | None = None, limit: int | None = None) -> Redrive:
        """See quintet.Queue.redrive."""
        return self._run(self._queue.redrive(to, rate=rate, limit=limit))

    def redrive_progress(self) -> Redrive:
        """See quintet.Queue.redrive_progress."""
        return self._run(self._queue.redrive_progress())

    def stop_redrive(self) -> Redrive:
        """See quintet.Queue.stop_redrive."""
        return self._run(self._queue.stop_redrive())

    def info(self) -> QueueInfo:
        """See quintet.Queue.info."""
        return self._run(self._queue.info())


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
    """See quintet.connect; to be opened by `with`."""
    return Client(
        quintet.connect(
            url,
            key_id=key_id,
            secret=secret,
            timeout=timeout,
            linger=linger,
            batch_messages=batch_messages,
            batch_bytes=batch_bytes,
        )
    )


async def _end_all() -> None:
    """Of this loop, but for this itself."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def message_for_thread(found: quintet.Message, runner: Runner) -> Message:
    """The same message, with verbs for threads beside the runner's loop."""
    return Queue(runner, found.queue)._message(found)


async def _next(receiver: quintet.Receiver) -> quintet.Message | None:
    return await anext(receiver, None)
