"""Functions of users, in the event loop and in threads."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from functools import partial

import pytest

from quintet.worker.calls import Calls, Interrupted, is_asynchronous

context: ContextVar[str] = ContextVar("context")


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    calls = Calls(2)
    yield calls
    calls.close()


def plain(text: str, *, times: int = 1) -> str:
    return f"{text * times} {context.get()} {threading.current_thread() is threading.main_thread()}"


async def asynchronous(text: str, *, times: int = 1) -> str:
    return plain(text, times=times)


class Callable:
    async def __call__(self) -> None: ...


def test_what_is_asynchronous() -> None:
    assert is_asynchronous(asynchronous)
    assert is_asynchronous(partial(asynchronous, "a"))
    assert is_asynchronous(Callable())
    assert is_asynchronous(Callable().__call__)
    assert not is_asynchronous(plain)
    assert not is_asynchronous(partial(plain, "a"))
    assert not is_asynchronous(print)


async def test_both_kinds_return_and_see_the_context(calls: Calls) -> None:
    context.set("here")
    assert await calls.call(asynchronous, "a", times=2) == "aa here True"
    assert await calls.call(plain, "a", times=2) == "aa here False"


async def test_what_a_plain_function_raises_is_raised(calls: Calls) -> None:
    with pytest.raises(ZeroDivisionError):
        await calls.call(lambda: 1 // 0)


async def test_a_plain_function_that_is_cancelled_is_interrupted_and_waited_for(calls: Calls) -> None:
    begun, seen = threading.Event(), threading.Event()

    def endless() -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.01)
        except Interrupted:
            seen.set()
            raise

    calling = asyncio.create_task(calls.call(endless))
    await asyncio.to_thread(begun.wait)
    assert calls.running == 1
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert seen.is_set()
    assert calls.running == 0
    # Its thread is free for others.
    assert [await calls.call(threading.active_count) for _ in range(4)]


async def test_a_plain_function_that_ends_in_spite_of_it_has_returned(calls: Calls) -> None:
    begun = threading.Event()

    def stubborn() -> str:
        begun.set()
        try:
            while True:
                time.sleep(0.01)
        except Interrupted:
            return "done all the same"

    calling = asyncio.create_task(calls.call(stubborn))
    await asyncio.to_thread(begun.wait)
    calling.cancel()
    assert await calling == "done all the same"


async def test_a_plain_function_runs_what_is_asynchronous_in_the_loop(calls: Calls) -> None:
    async def thread() -> str:
        return threading.current_thread().name

    assert await calls.call(lambda: calls.run(thread())) == threading.main_thread().name
