"""Tasks of a quintet.Worker against a real broker."""

import asyncio
import json

import pytest

import quintet
import quintet.sync
from quintet import Worker
from tests.integration.sdk.test_worker import WITHIN, emptied, until, working
from tests.processes import Broker


@pytest.fixture
def worker(broker: Broker) -> Worker:
    return Worker(broker.http_url, timeout=10, grace=WITHIN)


async def test_tasks_are_called_with_what_was_sent(worker: Worker, broker: Broker, queue: quintet.Queue) -> None:
    called: list[object] = []
    jobs = worker.tasks(queue.name, concurrency=4)

    @jobs.task
    async def add(a: int, b: int = 0) -> None:
        called.append(("add", a, b))

    @jobs.task(name="shout")
    def shout_in_thread(text: str, *, times: int) -> None:
        called.append(("shout", text * times))
        worker.from_thread(add.send(3))

    async with worker, working(worker):
        await add.send(1, 2)
        await until(lambda: called == [("add", 1, 2)])
        await shout_in_thread.send("ho", times=2, delay=0.1, headers={"x": "y"})
        await until(lambda: called[1:] == [("shout", "hoho"), ("add", 3, 0)])
        await emptied(queue)

    async with worker:
        sent = await add.send(5)

    def send_without_asyncio() -> list[str]:
        with quintet.sync.connect(broker.http_url) as client:
            return client.queue(add.queue).send_batch([add.message(6, b=7)])

    also_sent = await asyncio.to_thread(send_without_asyncio)
    messages = await queue.receive_batch(wait=20)
    messages += await queue.receive_batch(wait=20) if len(messages) < 2 else []
    found = {message.id: json.loads(message.text) for message in messages}
    assert found == {
        sent: {"task": "add", "args": [5], "kwargs": {}},
        also_sent[0]: {"task": "add", "args": [6], "kwargs": {"b": 7}},
    }
    assert messages[0].headers["content-type"] == "application/json"


async def test_what_is_no_call_is_rejected_and_an_unknown_task_waits(worker: Worker, queue: quintet.Queue) -> None:
    worker.tasks(queue.name)
    await queue.send("no call")
    async with working(worker):
        await emptied(queue)
        await queue.send('{"task": "of-tomorrow"}')
        await until(lambda: worker.health()[queue.name].counts.get("retried"))
        assert worker.health()[queue.name].counts["dropped"] == 1
