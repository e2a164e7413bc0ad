"""Spans and context through a real broker."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import quintet
import quintet.sync
from quintet import NewMessage, Worker
from quintet.otel import process
from tests.integration.sdk.test_worker import emptied, working
from tests.processes import Broker


class Spans:
    """What was traced."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def all(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def of(self, verb: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name.startswith(f"{verb} ")]

    def one(self, verb: str) -> ReadableSpan:
        [span] = self.of(verb)
        return span


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """As if it had been set by `trace.set_tracer_provider`, which works once in a process."""
    spans = Spans()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    yield spans
    spans.provider.shutdown()


def linked(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


def span_id(span: ReadableSpan) -> int:
    assert span.context
    return int(span.context.span_id)


async def test_a_message_carries_the_context_of_the_span_that_sent_it(spans: Spans, queue: quintet.Queue) -> None:
    with trace.get_tracer("test").start_as_current_span("outer") as outer:
        sent = await queue.send("tea", headers={"x": "y"})
    [message] = await queue.receive_batch(wait=20)
    await message.acknowledge()
    send, receive, acknowledge = spans.one("send"), spans.one("receive"), spans.one("acknowledge")
    assert send.parent
    assert send.parent.span_id == outer.get_span_context().span_id
    assert (send.kind, receive.kind, acknowledge.kind) == (SpanKind.PRODUCER, SpanKind.CLIENT, SpanKind.CLIENT)
    assert message.headers["traceparent"].split("-")[2] == f"{span_id(send):016x}"
    assert message.headers["x"] == "y"
    assert linked(receive) == linked(acknowledge) == [span_id(send)]
    host, port = queue._connection.url.removeprefix("http://").split(":")
    common = {
        "messaging.system": "quintet",
        "messaging.destination.name": queue.name,
        "server.address": host,
        "server.port": int(port),
    }
    assert dict(send.attributes or {}) == common | {
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.message.id": sent,
    }
    assert dict(receive.attributes or {}) == common | {
        "messaging.operation.name": "receive",
        "messaging.operation.type": "receive",
        "messaging.batch.message_count": 1,
    }
    assert dict(acknowledge.attributes or {}) == common | {
        "messaging.operation.name": "acknowledge",
        "messaging.operation.type": "settle",
        "messaging.message.id": sent,
    }


async def test_each_message_of_a_batch_has_a_context_of_its_own(spans: Spans, queue: quintet.Queue) -> None:
    theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await queue.send_batch([NewMessage("a"), "b", NewMessage("c", headers={"traceparent": theirs})])
    messages = await queue.receive_batch(wait=20)
    created = [span_id(span) for span in spans.of("create")]
    assert len(set(created)) == 2
    expected = [*created, int("b7ad6b7169203331", 16)]
    assert [int(message.headers["traceparent"].split("-")[2], 16) for message in messages] == expected
    assert messages[2].headers["traceparent"] == theirs
    send = spans.one("send")
    assert (send.kind, linked(send)) == (SpanKind.CLIENT, expected)
    assert (send.attributes or {})["messaging.batch.message_count"] == 3
    assert linked(spans.one("receive")) == expected
    await queue.acknowledge_batch(messages)
    assert linked(spans.one("acknowledge")) == expected


async def test_the_iterator_leaves_a_span_for_each_message(spans: Spans, queue: quintet.Queue) -> None:
    ids = await queue.send_batch(["a", "b"])
    async for message in queue.receive(wait=0.2):
        await message.release(delivered=False)
        ids.remove(message.id)
        if not ids:
            break
    assert [len(span.links) for span in spans.of("receive")] == [1, 1]
    assert len(spans.of("release")) == 2


async def test_a_worker_goes_on_with_the_trace_and_its_baggage(
    spans: Spans, broker: Broker, queue: quintet.Queue
) -> None:
    worker = Worker(broker.http_url)
    seen: list[Any] = []

    @worker.on(queue.name, backoff=quintet.Backoff(0, 0))
    async def handle(message: quintet.Message) -> None:
        seen.append((baggage.get_baggage("customer"), trace.get_current_span().get_span_context().span_id))
        if message.deliveries == 1:
            raise KeyError("no luck")

    token = context.attach(baggage.set_baggage("customer", "7"))
    await queue.send("tea")
    context.detach(token)
    async with working(worker):
        await emptied(queue)
    failed, succeeded = spans.of("process")
    send = spans.one("send")
    for span in failed, succeeded, spans.one("acknowledge"):
        assert span.parent
        assert span.parent.span_id == span_id(send)
        assert linked(span) == [span_id(send)]
    assert seen == [("7", span_id(failed)), ("7", span_id(succeeded))]
    assert (failed.kind, failed.status.status_code) == (SpanKind.CONSUMER, StatusCode.ERROR)
    assert (failed.attributes or {})["error.type"] == "KeyError"
    assert succeeded.status.status_code == StatusCode.UNSET


async def test_threads_go_on_with_the_span_that_is_current_in_them(
    spans: Spans, broker: Broker, client: quintet.Client, queue: quintet.Queue
) -> None:
    worker = Worker(broker.http_url)
    answers = client.queue(f"{queue.name}-answers")
    await client.create_queue(answers.name)

    @worker.on(queue.name)
    def handle(message: quintet.sync.Message) -> None:
        worker.from_thread(worker.client.queue(answers.name).send("with sugar"))

    def send() -> None:
        span = trace.get_tracer("test").start_as_current_span("outer")
        with quintet.sync.connect(broker.http_url) as client, span:
            client.queue(queue.name).send("tea")

    await asyncio.to_thread(send)
    async with working(worker):
        await emptied(queue)
    [outer] = [span for span in spans.all() if span.name == "outer"]
    first, second = spans.of("send")
    for span, parent in ((first, outer), (second, spans.one("process"))):
        assert span.parent
        assert span.parent.span_id == span_id(parent)
    assert len({span.context.trace_id for span in (first, second, outer) if span.context}) == 1


def test_a_span_around_ones_own_loop(spans: Spans, broker: Broker) -> None:
    with quintet.sync.connect(broker.http_url) as client:
        queue = client.queue(f"otel-{uuid.uuid4().hex[:8]}")
        client.create_queue(queue.name)
        sent = queue.send("tea")
        [message] = queue.receive_batch(wait=20)
        with process(message):
            message.acknowledge()
    found, acknowledge = spans.one("process"), spans.one("acknowledge")
    assert (found.attributes or {})["messaging.message.id"] == sent
    assert found.parent
    assert found.parent.span_id == span_id(spans.one("send"))
    assert acknowledge.parent
    assert acknowledge.parent.span_id == span_id(found)


async def test_inside_another_span_that_is_the_parent(spans: Spans, queue: quintet.Queue) -> None:
    await queue.send("tea")
    [message] = await queue.receive_batch(wait=20)
    with trace.get_tracer("test").start_as_current_span("outer") as outer, process(message):
        pass
    found = spans.one("process")
    assert found.parent
    assert found.parent.span_id == outer.get_span_context().span_id
    assert linked(found) == [span_id(spans.one("send"))]


async def test_what_fails_is_told(spans: Spans, client: quintet.Client) -> None:
    with pytest.raises(quintet.QueueNotFound):
        await client.queue("nowhere").send("tea")
    found = spans.one("send")
    assert found.status.status_code == StatusCode.ERROR
    assert (found.attributes or {})["error.type"] == "QueueNotFound"


async def test_without_a_tracer_provider_nothing_is_added(queue: quintet.Queue) -> None:
    await queue.send_batch(["a", "b"])
    for message in await queue.receive_batch(wait=20):
        assert message.headers == {}
        with process(message):
            await message.acknowledge()
