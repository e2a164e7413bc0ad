"""Tasks: functions that are called by messages of a queue."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import msgspec
from msgspec import Struct, field

from quintet.message import Message, NewMessage
from quintet.worker.outcome import Reject

if TYPE_CHECKING:
    from quintet.worker.worker import Worker

Function = TypeVar("Function", bound=Callable[..., Any])

HEADERS = {"content-type": "application/json"}
OPTIONS = frozenset(NewMessage.__struct_fields__) - {"value"}
"""What a send takes beside a task's own arguments."""


class Call(Struct, frozen=True):
    """The value of a message: a task's name and its arguments, as JSON."""

    task: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


class UnknownTask(Exception):
    """No task of this name is known here: another version of this worker may know it."""


class Task(Generic[Function]):
    """A function that can be called here, or sent to be called by a worker."""

    def __init__(self, tasks: Tasks, name: str, function: Function) -> None:
        self.name = name
        self.queue = tasks.queue
        """Name of the queue."""
        self.function = function
        self._tasks = tasks

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Here and now."""
        return self.function(*args, **kwargs)

    async def send(self, *args: Any, **kwargs: Any) -> str:
        """Let a worker call it with these arguments; return the message's id. Raises as `Queue.send` and `message` do.

        Goes through the worker's client, which is open while it runs and inside `async with worker`. Beside the task's
        own arguments it takes the options of `Queue.send`: `delay`, `key`, `headers`, `priority`, `expiry`,
        `deduplication_id`.
        """
        queue = self._tasks.worker.client.queue(self.queue)
        [message_id] = await queue.send_batch([self.message(*args, **kwargs)])
        return message_id

    def message(self, *args: Any, **kwargs: Any) -> NewMessage:
        """What `send` sends, for any client's `send_batch`. Raises TypeError where the task takes no such arguments."""
        options = {name: kwargs.pop(name) for name in OPTIONS & kwargs.keys()}
        inspect.signature(self.function).bind(*args, **kwargs)
        options["headers"] = HEADERS | options.get("headers", {})
        return NewMessage(msgspec.json.encode(Call(self.name, list(args), kwargs)), **options)


class Tasks:
    """The tasks of a queue, made by `Worker.tasks`. Their names and arguments are what the queue's messages hold."""

    def __init__(self, worker: Worker, queue: str) -> None:
        self.worker = worker
        self.queue = queue
        self._tasks: dict[str, Task[Any]] = {}

    @overload
    def task(self, function: Function) -> Task[Function]: ...
    @overload
    def task(self, *, name: str) -> Callable[[Function], Task[Function]]: ...
    def task(self, function: Any = None, *, name: str | None = None) -> Any:
        """Decorates a function, asynchronous or plain, whose arguments are values of JSON.

        `name`: by which messages call it; that of the function if there is none. Raises ValueError.
        """
        if function is None:
            return lambda function: self._add(name, function)
        return self._add(name, function)

    def _add(self, name: str | None, function: Function) -> Task[Function]:
        name = name or function.__name__
        if name in self._tasks:
            raise ValueError(f"{self.queue} has a task {name!r} already: give this one another name.")
        if taken := OPTIONS & inspect.signature(function).parameters.keys():
            raise ValueError(f"{name}: {', '.join(sorted(taken))}: options of `send`, and no names of arguments.")
        self._tasks[name] = Task(self, name, function)
        return self._tasks[name]

    async def handle(self, message: Message) -> None:
        """Call what a message asks for. Raises Reject, UnknownTask, and what the task raises."""
        try:
            call = msgspec.json.decode(message.value, type=Call)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Reject(f"This is no call of a task: {error}") from error
        task = self._tasks.get(call.task)
        if task is None:
            raise UnknownTask(f"{self.queue} has no task {call.task!r} here.")
        await self.worker.calls.call(task.function, *call.args, **call.kwargs)
