"""quintet.Worker against a real broker."""

import asyncio
import itertools
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import quintet
import quintet.sync
from quintet import Backoff, NewMessage, Reject, Retry, Worker
from tests.processes import Broker

WITHIN = 60.0
"""Seconds."""
AT_ONCE = Backoff(0, 0)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    """Until the end of the block; then it is stopped."""
    serving = asyncio.create_task(worker.serve())
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait_for(serving, WITHIN)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


async def emptied(queue: quintet.Queue) -> None:
    async with asyncio.timeout(WITHIN):
        while (await queue.info()).counts != quintet.Counts(0, 0, 0):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


async def made(client: quintet.Client, **spec: Any) -> quintet.Queue:
    name = f"worker-{uuid.uuid4().hex[:8]}"
    await client.create_queue(name, spec)
    return client.queue(name)


@pytest.fixture
def worker(broker: Broker) -> Worker:
    return Worker(broker.http_url, timeout=10, grace=WITHIN)


async def test_what_is_handled_is_acknowledged(worker: Worker, queue: quintet.Queue) -> None:
    handled: list[str] = []

    @worker.on(queue.name)
    async def handle(message: quintet.Message) -> None:
        assert worker.message is message
        handled.append(message.text)

    sent = [str(number) for number in range(300)]
    await queue.send_batch([NewMessage(text) for text in sent])
    async with working(worker):
        await emptied(queue)
        assert worker.healthy
        assert worker.health()[queue.name].counts == {"handled": 300}
    assert sorted(handled) == sorted(sent)
    assert not worker.healthy


async def test_plain_functions_run_in_threads_with_plain_verbs(
    worker: Worker, client: quintet.Client, queue: quintet.Queue
) -> None:
    results = await made(client)
    threads: set[str] = set()

    @worker.on(queue.name)
    def handle(message: quintet.sync.Message) -> None:
        threads.add(threading.current_thread().name)
        message.extend(60)
        worker.from_thread(worker.client.queue(results.name).send(f"{message.text}, {worker.message.key}"))

    await queue.send("tea", key="a")
    async with working(worker):
        [result] = await results.receive_batch(wait=20)
        assert result.text == "tea, a"
        await emptied(queue)
    assert all(name.startswith("quintet-handler") for name in threads)


async def test_no_more_run_than_may(broker: Broker, client: quintet.Client) -> None:
    worker = Worker(broker.http_url, concurrency=3)
    running, most = {"all": 0}, {"all": 0}
    queues = [await made(client), await made(client)]

    def handler(name: str) -> Callable[[quintet.Message], Awaitable[None]]:
        async def handle(message: quintet.Message) -> None:
            for of in "all", name:
                running[of] = running.get(of, 0) + 1
                most[of] = max(most.get(of, 0), running[of])
            await asyncio.sleep(0.01)
            for of in "all", name:
                running[of] -= 1

        return handle

    for queue, concurrency in zip(queues, (2, None), strict=True):
        worker.on(queue.name, concurrency=concurrency)(handler(queue.name))
        await queue.send_batch([NewMessage("")] * 50)
    async with working(worker):
        await asyncio.gather(*map(emptied, queues))
    assert most["all"] <= 3
    assert most[queues[0].name] <= 2


async def test_what_fails_comes_again_after_its_backoff(worker: Worker, queue: quintet.Queue) -> None:
    tries: list[float] = []

    @worker.on(queue.name, backoff=Backoff(0.4, 0.8))
    async def handle(message: quintet.Message) -> None:
        tries.append(time.monotonic())
        if message.deliveries == 3:
            raise Retry(0.5)
        if message.deliveries < 5:
            raise RuntimeError("no luck")

    await queue.send("")
    async with working(worker):
        await emptied(queue)
        assert worker.health()[queue.name].counts == {"retried": 4, "handled": 1}
    pauses = [after - before for before, after in itertools.pairwise(tries)]
    for pause, least in zip(pauses, (0.2, 0.4, 0.5, 0.4), strict=True):
        assert pause >= least


async def test_what_is_rejected_goes_to_the_dead_letter_queue(worker: Worker, client: quintet.Client) -> None:
    dead = await made(client)
    queue = await made(client, deadLetter={"queue": dead.name, "maxReceives": 3})

    @worker.on(queue.name)
    async def handle(message: quintet.Message) -> None:
        raise Reject("nonsense")

    await queue.send("poison")
    async with working(worker):
        [letter] = await dead.receive_batch(wait=20)
        assert letter.dead_letter
        assert (letter.text, letter.dead_letter.receives) == ("poison", 3)
        assert worker.health()[queue.name].counts == {"rejected": 3}


async def test_what_fails_for_the_last_time_is_dead_lettered_without_a_pause(
    worker: Worker, client: quintet.Client
) -> None:
    dead = await made(client)
    queue = await made(client, deadLetter={"queue": dead.name, "maxReceives": 1})

    @worker.on(queue.name, backoff=Backoff(43_200, 43_200))
    async def handle(message: quintet.Message) -> None:
        raise RuntimeError("no luck")

    await queue.send("poison")
    async with working(worker):
        assert [letter.text for letter in await dead.receive_batch(wait=20)] == ["poison"]


async def test_without_a_dead_letter_queue_what_is_given_up_is_dropped(worker: Worker, queue: quintet.Queue) -> None:
    @worker.on(queue.name, attempts=3, backoff=AT_ONCE)
    async def handle(message: quintet.Message) -> None:
        raise RuntimeError("no luck")

    await queue.send("poison")
    async with working(worker):
        await emptied(queue)
        assert worker.health()[queue.name].counts == {"retried": 2, "dropped": 1}


async def test_heartbeats_keep_what_takes_long(worker: Worker, client: quintet.Client) -> None:
    queue = await made(client, visibilityTimeout="5s")
    deliveries: list[int] = []

    @worker.on(queue.name, concurrency=2)
    async def handle(message: quintet.Message) -> None:
        deliveries.append(message.deliveries)
        # Until the other consumer has waited for longer than the visibility timeout, in vain.
        await over.wait()

    over = asyncio.Event()
    await queue.send("long")
    async with working(worker):
        await until(lambda: deliveries)
        assert await queue.receive_batch(wait=7) == []
        over.set()
        await emptied(queue)
    assert deliveries == [1]


async def test_a_handler_whose_message_was_lost_is_cancelled(worker: Worker, queue: quintet.Queue) -> None:
    cancelled = asyncio.Event()

    @worker.on(queue.name, concurrency=1, visibility_timeout=1)
    async def handle(message: quintet.Message) -> None:
        # As if the heartbeats had come too late.
        await message.release()
        [again] = await queue.receive_batch(wait=20, visibility_timeout=600)
        assert again.id == message.id
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await queue.send("")
    async with working(worker):
        await asyncio.wait_for(cancelled.wait(), WITHIN)
        await until(lambda: worker.health()[queue.name].counts == {"lost": 1})


async def test_a_time_limit_ends_handlers_of_both_kinds(worker: Worker, client: quintet.Client) -> None:
    queues = [await made(client), await made(client)]
    ended: list[str] = []

    @worker.on(queues[0].name, time_limit=0.2, backoff=AT_ONCE)
    async def handle(message: quintet.Message) -> None:
        if message.deliveries == 1:
            await asyncio.Event().wait()
        ended.append("asynchronous")

    @worker.on(queues[1].name, time_limit=0.2, backoff=AT_ONCE)
    def handle_in_thread(message: quintet.sync.Message) -> None:
        while message.deliveries == 1:
            time.sleep(0.01)
        ended.append("plain")

    await asyncio.gather(*(queue.send("") for queue in queues))
    async with working(worker):
        await asyncio.gather(*map(emptied, queues))
    assert set(ended) == {"asynchronous", "plain"}


@pytest.mark.parametrize("kind", ["asynchronous", "plain"])
async def test_a_handler_that_exits_fails_and_ends_nothing_else(
    worker: Worker, queue: quintet.Queue, kind: str
) -> None:
    def handle(message: quintet.sync.Message) -> None:
        if message.deliveries == 1:
            sys.exit("no luck")

    async def handle_asynchronously(message: Any) -> None:
        handle(message)

    worker.on(queue.name, backoff=AT_ONCE)(handle if kind == "plain" else handle_asynchronously)
    await queue.send("")
    async with working(worker):
        await emptied(queue)
        assert worker.health()[queue.name].counts == {"retried": 1, "handled": 1}


async def test_a_group_of_a_fifo_queue_is_handled_in_order(worker: Worker, client: quintet.Client) -> None:
    queue = await made(client, ordering="Fifo")
    handled: dict[str, list[int]] = {}
    running: set[str] = set()
    side_by_side: list[str] = []

    @worker.on(queue.name, backoff=AT_ONCE)
    async def handle(message: quintet.Message) -> None:
        key = str(message.key)
        if key in running:
            side_by_side.append(key)
        running.add(key)
        await asyncio.sleep(0.002)
        running.discard(key)
        if message.deliveries == 1 and message.text.endswith("3"):
            raise RuntimeError("no luck")
        handled.setdefault(key, []).append(int(message.text))

    await queue.send_batch([NewMessage(str(number), key=f"{number % 3}") for number in range(60)])
    async with working(worker):
        await emptied(queue)
    assert handled == {f"{key}": list(range(key, 60, 3)) for key in range(3)}
    assert not side_by_side


async def test_one_active_consumer_at_a_time(broker: Broker, client: quintet.Client) -> None:
    queue = await made(client, consumers="SingleActive")
    handled: list[str] = []

    def named(name: str) -> Worker:
        worker = Worker(broker.http_url, name=name)

        @worker.on(queue.name)
        async def handle(message: quintet.Message) -> None:
            handled.append(name)

        return worker

    async with working(named("b")):
        await queue.send("1")
        await until(lambda: handled == ["b"])
        async with working(named("a")):
            await queue.send("2")
            await until(lambda: len(handled) == 2)
    assert handled == ["b", "b"]
    async with working(named("c")):
        await queue.send("3")
        await until(lambda: handled == ["b", "b", "c"])


async def test_a_queue_that_turns_single_active_is_served_on(worker: Worker, client: quintet.Client) -> None:
    queue = await made(client)
    handled: list[str] = []

    @worker.on(queue.name)
    async def handle(message: quintet.Message) -> None:
        handled.append(message.text)

    async with working(worker):
        await queue.send("1")
        await until(lambda: handled == ["1"])
        await client.update_queue(queue.name, {"consumers": "SingleActive"})
        await queue.send("2")
        await until(lambda: handled == ["1", "2"])


async def test_middleware_goes_around_every_handler(worker: Worker, queue: quintet.Queue) -> None:
    order: list[str] = []

    def around(name: str) -> None:
        @worker.middleware
        async def middleware(message: quintet.Message, handle: Callable[[quintet.Message], Awaitable[None]]) -> None:
            order.append(f"{name} begins")
            try:
                await handle(message)
            except RuntimeError:
                order.append(f"{name} sees")

    @worker.on(queue.name)
    async def handle(message: quintet.Message) -> None:
        order.append("handler")
        raise RuntimeError("seen")

    around("outer")
    around("inner")
    await queue.send("")
    async with working(worker):
        await emptied(queue)
    assert order == ["outer begins", "inner begins", "handler", "inner sees"]


# The end


async def test_handlers_that_run_end_and_nothing_else_begins(worker: Worker, queue: quintet.Queue) -> None:
    handled: list[str] = []
    begun, over = asyncio.Event(), asyncio.Event()

    @worker.on(queue.name, concurrency=1)
    async def handle(message: quintet.Message) -> None:
        begun.set()
        await over.wait()
        handled.append(message.text)

    await queue.send_batch([NewMessage("1"), NewMessage("2")])
    async with working(worker):
        await asyncio.wait_for(begun.wait(), WITHIN)
        worker.stop()
        over.set()
    assert handled == ["1"]
    [left] = await queue.receive_batch(wait=20)
    assert (left.text, left.deliveries) == ("2", 1)


async def test_after_its_grace_a_handler_is_cancelled_and_its_message_visible(
    broker: Broker, queue: quintet.Queue
) -> None:
    worker = Worker(broker.http_url, grace=0.1)
    begun = asyncio.Event()

    @worker.on(queue.name, visibility_timeout=600, backoff=Backoff(600, 600))
    async def handle(message: quintet.Message) -> None:
        begun.set()
        await asyncio.Event().wait()

    await queue.send("1")
    async with working(worker):
        await asyncio.wait_for(begun.wait(), WITHIN)
    [left] = await queue.receive_batch(wait=20)
    assert (left.text, left.deliveries) == ("1", 2)


async def test_a_second_stop_ends_the_grace(worker: Worker, queue: quintet.Queue) -> None:
    begun = asyncio.Event()

    @worker.on(queue.name, backoff=Backoff(600, 600))
    def handle(message: quintet.sync.Message) -> None:
        worker.from_thread(_set(begun))
        while True:
            time.sleep(0.01)

    await queue.send("1")
    async with working(worker):
        await asyncio.wait_for(begun.wait(), WITHIN)
        worker.stop()
    # By then `working` has stopped it once more.
    [left] = await queue.receive_batch(wait=20)
    assert left.deliveries == 2


async def _set(event: asyncio.Event) -> None:
    event.set()


async def test_a_queue_that_is_missing_ends_it(worker: Worker) -> None:
    @worker.on("nowhere")
    async def handle(message: quintet.Message) -> None: ...

    with pytest.raises(quintet.QueueNotFound):
        await worker.serve()


async def test_a_lifespan_is_open_while_it_works(broker: Broker, queue: quintet.Queue) -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(worker: Worker) -> AsyncIterator[None]:
        await worker.client.queue(queue.name).send("from the lifespan")
        yield
        events.append("closed")

    worker = Worker(broker.http_url, lifespan=lifespan)

    @worker.on(queue.name)
    async def handle(message: quintet.Message) -> None:
        events.append(message.text)

    async with working(worker):
        await until(lambda: events == ["from the lifespan"])
    assert events == ["from the lifespan", "closed"]


async def test_work_goes_on_when_the_broker_is_back(own_broker: Broker) -> None:
    async with quintet.connect(own_broker.http_url) as client:
        queue = await made(client, visibilityTimeout="600s")
        worker = Worker(own_broker.http_url, timeout=1)
        handled: list[str] = []
        begun, over = asyncio.Event(), asyncio.Event()

        @worker.on(queue.name)
        async def handle(message: quintet.Message) -> None:
            begun.set()
            await over.wait()
            handled.append(message.text)

        await queue.send("before")
        async with working(worker):
            await asyncio.wait_for(begun.wait(), WITHIN)
            await asyncio.to_thread(own_broker.kill)
            over.set()
            # Its acknowledgement waits for the broker.
            await until(lambda: handled == ["before"])
            await asyncio.to_thread(own_broker.start)
            await queue.send("after")
            await emptied(queue)
        assert handled == ["before", "after"]
