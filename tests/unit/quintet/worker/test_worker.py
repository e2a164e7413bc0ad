"""What can be said of a worker before it runs, and what is refused."""

import json
from typing import Any

import aiohttp
import pytest

import quintet
from quintet import Worker
from quintet.worker.probe import answering
from tests.processes import free_port


async def handle(message: quintet.Message) -> None: ...


@pytest.mark.parametrize("bad", [{"concurrency": 0}, {"grace": -1}, {"grace": float("nan")}])
def test_a_worker_that_could_not_work_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are wanted"):
        Worker(**bad)


@pytest.mark.parametrize(
    "bad", [{"concurrency": 0}, {"visibility_timeout": 0.5}, {"attempts": 0}, {"time_limit": 0}, {"time_limit": -1}]
)
def test_a_handler_that_could_not_work_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are wanted"):
        Worker().on("orders", **bad)


def test_a_queue_has_one_handler() -> None:
    worker = Worker()
    assert worker.on("orders")(handle) is handle
    with pytest.raises(ValueError, match="orders has a handler already"):
        worker.on("orders")


async def test_what_does_not_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SQS", raising=False)
    worker = Worker()
    with pytest.raises(quintet.InvalidArgument, match="no handlers"):
        await worker.serve()
    worker.on("orders")(handle)
    with pytest.raises(quintet.InvalidArgument, match="AWS_ENDPOINT_URL_SQS"):
        await worker.serve()
    with pytest.raises(quintet.ClientClosed, match="not open"):
        _ = worker.client
    with pytest.raises(LookupError):
        _ = worker.message
    worker.stop()
    assert not worker.healthy
    assert worker.health() == {}
    assert worker.stuck == 0


async def test_a_probe_hears_of_a_worker_that_does_not_run() -> None:
    port = free_port()
    async with answering(Worker(), port), aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert (answer.status, await answer.json()) == (503, {})
        with pytest.raises(quintet.InvalidArgument, match=str(port)):
            async with answering(Worker(), port):
                pass


def test_a_task_is_a_function_still_and_makes_messages() -> None:
    jobs = Worker().tasks("jobs")

    @jobs.task
    def add(a: int, b: int = 0) -> int:
        return a + b

    assert add(1, b=2) == 3
    message = add.message(1, b=2, delay=5, priority=3, headers={"x": "y", "content-type": "text/x"})
    assert json.loads(message.value) == {"task": "add", "args": [1], "kwargs": {"b": 2}}
    assert (message.delay, message.priority, message.headers) == (5, 3, {"x": "y", "content-type": "text/x"})


def test_a_call_that_the_task_could_not_take_is_refused_where_it_is_sent() -> None:
    jobs = Worker().tasks("jobs")

    @jobs.task
    def add(a: int) -> None: ...

    with pytest.raises(TypeError, match="missing a required argument"):
        add.message()
    with pytest.raises(TypeError, match="unexpected keyword"):
        add.message(1, c=2)
    with pytest.raises(TypeError):
        add.message(object())


def test_two_tasks_of_one_name_are_refused() -> None:
    jobs = Worker().tasks("jobs")
    jobs.task(name="add")(lambda a: a)
    with pytest.raises(ValueError, match="task 'add' already"):
        jobs.task(name="add")(lambda a: a)


def test_a_task_whose_argument_is_an_option_of_send_is_refused() -> None:
    jobs = Worker().tasks("jobs")
    with pytest.raises(ValueError, match="later: delay"):

        @jobs.task
        def later(delay: int) -> None: ...
