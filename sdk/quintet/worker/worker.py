"""Worker: handlers for queues."""

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from quintet.client import Client, connect
from quintet.errors import ClientClosed, InvalidArgument
from quintet.message import Message
from quintet.worker.calls import Calls
from quintet.worker.consumer import LEAST_HIDDEN, Consumer, Health, Source
from quintet.worker.handler import Handle
from quintet.worker.outcome import Backoff, Policy
from quintet.worker.serving import Serving
from quintet.worker.slots import Slots
from quintet.worker.tasks import Tasks

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")
Middleware = Callable[[Message, Handle], Awaitable[None]]
Lifespan = Callable[["Worker"], AbstractAsyncContextManager[Any]]

BACKOFF = Backoff()

_message: ContextVar[Message] = ContextVar("message")


class Worker:
    """Handles the messages of queues: `on` says how, `run` does it.

    Inside `async with` it is open without handling anything, for programs that only send its tasks.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key_id: str | None = None,
        secret: str | None = None,
        timeout: float = 30.0,
        concurrency: int = 16,
        grace: float = 30.0,
        name: str | None = None,
        lifespan: Lifespan | None = None,
    ) -> None:
        """`url`, `key_id`, `secret`, `timeout`: as `connect` has them; the environment is read when it is opened.

        `concurrency`: messages that are handled at a time, of all queues together. `grace`: seconds that handlers have
        to end in when the worker is to stop. `name`: its name as a consumer, where a queue serves one at a time, which
        no other process may have; None takes a random one. `lifespan`: makes an asynchronous context manager of the
        worker, open while it handles messages. Raises ValueError.
        """
        if concurrency < 1 or not grace >= 0:
            raise ValueError(f"concurrency of 1 or more, grace of 0 s or more are wanted, not {concurrency}, {grace}.")
        self._connect = partial(connect, url, key_id=key_id, secret=secret, timeout=timeout)
        self._concurrency = concurrency
        self._grace = grace
        self._name = name or f"worker-{secrets.token_hex(8)}"
        self._lifespan = lifespan
        self._sources: list[Source] = []
        self._middleware: list[Middleware] = []
        self._client: Client | None = None
        self._users = 0
        """How often it is open."""
        self._calls: Calls | None = None
        self._serving: Serving | None = None

    # What it does

    def on(
        self,
        queue: str,
        *,
        concurrency: int | None = None,
        visibility_timeout: float | None = None,
        selector: str | None = None,
        attempts: int | None = None,
        backoff: Backoff = BACKOFF,
        time_limit: float | None = None,
    ) -> Callable[[Function], Function]:
        """Decorates what handles a queue's messages: an asynchronous function, or a plain one, which runs in a thread.

        A message is acknowledged when its handler returns, and comes again after the `backoff` when it raises.
        `concurrency`: messages of this queue that are handled at a time; None: as many as of all queues.
        `visibility_timeout`: seconds (1 - 43200) for which a message stays hidden if this process dies; while it is
        handled, heartbeats keep it. None takes the queue's. `selector`: as `Queue.receive` has it. `attempts`:
        deliveries after which a message that fails is rejected; None leaves that to the queue's maxReceives.
        `time_limit`: seconds for a handler; then it is cancelled and has failed. Raises ValueError.
        """
        if any(source.queue == queue for source in self._sources):
            raise ValueError(f"{queue} has a handler already.")
        if visibility_timeout is not None and not visibility_timeout >= LEAST_HIDDEN:
            raise ValueError(f"visibility_timeout: {LEAST_HIDDEN:g} s or more are wanted, not {visibility_timeout}.")
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency: 1 or more are wanted, not {concurrency}.")
        policy = Policy(time_limit=time_limit, attempts=attempts, backoff=backoff)

        def register(function: Function) -> Function:
            source = Source(
                queue=queue,
                handle=partial(self._handle, function),
                concurrency=concurrency or self._concurrency,
                visibility_timeout=visibility_timeout,
                selector=selector,
                policy=policy,
            )
            self._sources.append(source)
            return function

        return register

    def tasks(self, queue: str, **options: Any) -> Tasks:
        """The tasks of a queue, whose messages call functions; `options` are those of `on`. Raises ValueError."""
        tasks = Tasks(self, queue)
        self.on(queue, **options)(tasks.handle)
        return tasks

    def middleware(self, function: Middleware) -> Middleware:
        """Decorates `async def around(message, handle)`, which calls `await handle(message)`: it wraps every handler.

        What it raises counts as raised by the handler. The first one is the outermost.
        """
        self._middleware.append(function)
        return function

    # How it runs

    def run(self) -> None:
        """Handle messages in an event loop of its own until SIGTERM or SIGINT; a second one ends the grace.

        Raises what `serve` raises.
        """
        from quintet.worker.process import run

        run(self)

    async def serve(self) -> None:
        """Handle messages until `stop`, then end in order. Cancelling it ends it without grace.

        Raises QuintetError where the first receive of a queue is refused; what passes by itself is waited for.
        """
        if not self._sources:
            raise InvalidArgument("This worker has no handlers.")
        self._serving = Serving(self._grace)
        self._calls = Calls(self._concurrency)
        try:
            async with self, self._lifespan(self) if self._lifespan else contextlib.nullcontext():
                slots = Slots(self._concurrency)
                await self._serving.run(
                    [Consumer(source, self.client.queue(source.queue), self._name, slots) for source in self._sources]
                )
        finally:
            self._serving = None
            self._calls.close()

    def stop(self) -> None:
        """Begin with no further message, and end: handlers have `grace` to end in, none if this is called again."""
        if self._serving:
            self._serving.stop()

    async def __aenter__(self) -> "Worker":
        if self._client is None:
            try:
                self._client = await self._connect().__aenter__()
            except ValueError as error:
                raise InvalidArgument(str(error)) from error
        self._users += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            client, self._client = self.client, None
            await client.close()

    # What is so while it runs

    @property
    def client(self) -> Client:
        """Its client, open as long as the worker is. Raises ClientClosed."""
        if self._client is None:
            raise ClientClosed("The worker is not open.")
        return self._client

    @property
    def message(self) -> Message:
        """The one that is handled here. Raises LookupError outside a handler."""
        return _message.get()

    @property
    def healthy(self) -> bool:
        """Whether it handles messages and hears of the broker for each queue, as a liveness probe wants to know."""
        return bool(self.health()) and all(health.healthy for health in self.health().values())

    def health(self) -> dict[str, Health]:
        """How it goes with each queue, by name; nothing where it does not run."""
        return {consumer.queue: consumer.health for consumer in self._serving.consumers} if self._serving else {}

    @property
    def stuck(self) -> int:
        """Plain functions that still run after the worker's end, though they were interrupted."""
        return self._calls.running if self._calls and not self._serving else 0

    # For what it calls

    def from_thread(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something asynchronous from a plain function that handles a message: `from_thread(task.send(1))`."""
        return self.calls.run(work)

    @property
    def calls(self) -> Calls:
        """How functions are called. Raises ClientClosed."""
        if self._calls is None:
            raise ClientClosed("The worker does not run.")
        return self._calls

    async def _handle(self, function: Callable[..., Any], message: Message) -> None:
        """One message, by a function and all middleware around it."""
        _message.set(message)
        handle: Handle = partial(self.calls.handle, function)
        for around in reversed(self._middleware):
            handle = _wrapped(around, handle)
        await handle(message)


def _wrapped(around: Middleware, handle: Handle) -> Handle:
    async def wrapped(message: Message) -> None:
        await around(message, handle)

    return wrapped
