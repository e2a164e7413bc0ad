"""Calls: asynchronous functions in the event loop, plain ones in threads."""

import asyncio
import contextvars
import ctypes
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from quintet.message import Message

Result = TypeVar("Result")


class Interrupted(BaseException):
    """Raised in a plain function that is to end: its time is over, its message was lost, or the worker ends.

    It comes between two steps of Python code: what waits in C, for a socket perhaps, waits on.
    """


class Calls:
    """Calls functions of users. Threads are kept, as what they hold for themselves (connections) may be dear."""

    def __init__(self, threads: int) -> None:
        from quintet.sync import Runner

        self.running = 0
        """Plain functions."""
        self._threads = ThreadPoolExecutor(threads, "quintet-handler")
        self._runner = Runner(asyncio.get_running_loop())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something asynchronous from a plain function."""
        return self._runner.run(work)

    async def handle(self, function: Callable[..., Any], message: Message) -> None:
        """Call a function with a message; a plain one gets it with the verbs of quintet.sync."""
        from quintet.sync import message_for_thread

        if is_asynchronous(function):
            await function(message)
        else:
            await self.call(function, message_for_thread(message, self._runner))

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a function returns. Cancelling a plain one interrupts it, and waits for its end."""
        if is_asynchronous(function):
            return await function(*args, **kwargs)
        context = contextvars.copy_context()
        call = _Interruptible(partial(context.run, function, *args, **kwargs))
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        self.running += 1
        running.add_done_callback(self._ended)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            call.interrupt()
            await asyncio.wait([running])
            if running.exception() is None:
                return running.result()
            raise

    def _ended(self, running: "asyncio.Future[Any]") -> None:
        self.running -= 1

    def close(self) -> None:
        """Wait for nothing: what still runs did not let itself be interrupted."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def is_asynchronous(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


class _Interruptible:
    """A function that can be interrupted while it runs in another thread."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._changing = threading.Lock()
        self._thread: int | None = None
        """Where it runs, while it runs."""

    def __call__(self) -> Any:
        with self._changing:
            self._thread = threading.get_ident()
        try:
            return self._function()
        finally:
            with self._changing:
                self._thread = None

    def interrupt(self) -> None:
        with self._changing:
            if self._thread is not None:
                thread, error = ctypes.c_ulong(self._thread), ctypes.py_object(Interrupted)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)
