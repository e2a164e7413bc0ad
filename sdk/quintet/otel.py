"""Spans and context of OpenTelemetry: `pip install 'quintet[otel]'`.

The context in which a message was created goes with it in its headers, as the program's propagators write it: W3C Trace
Context and Baggage. Names and kinds are those of OpenTelemetry's semantic conventions for messaging. Without a tracer
provider nothing is done.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import structs
from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Tracer, TracerProvider

from quintet.message import Content, Message, NewMessage
from quintet.queue import Queue
from quintet.receiver import Receiver

if TYPE_CHECKING:
    import quintet.sync

Attributes = dict[str, str | int]

SETTLING = ("acknowledge", "release")
BATCH = "messaging.batch.message_count"


@contextmanager
def process(message: "Message | quintet.sync.Message") -> Iterator[None]:
    """A span for what is done with a message, which is linked to where it was created.

    Outside of any other span that is its parent too. The baggage that came with the message is there.
    """
    tracer = _tracer()
    if tracer is None:
        yield
        return
    with _inside(message), _span(tracer, "process", message.queue.name, SpanKind.CONSUMER, [message], {}):
        yield


class TracedQueue(Queue):
    """A queue whose verbs leave spans."""

    async def send(self, value: str | bytes, **options: Any) -> str:
        if _tracer() is None:
            return await super().send(value, **options)
        headers = options.pop("headers", None) or {}
        [message_id] = await self.send_batch([NewMessage(value, headers=headers, **options)])
        return message_id

    async def send_batch(self, messages: Sequence[NewMessage | str | bytes]) -> list[str]:
        """A single message takes the context of the span that sends it; each of several has a span of its own."""
        tracer = _tracer()
        if tracer is None or not messages:
            return await super().send_batch(messages)
        new = [message if isinstance(message, NewMessage) else NewMessage(message) for message in messages]
        if len(new) == 1 and not _links(new):
            with self._span(tracer, "send", SpanKind.PRODUCER) as span:
                ids = await super().send_batch([_with_context(new[0])])
                span.set_attribute("messaging.message.id", ids[0])
                return ids
        created = [message if _links([message]) else self._created(tracer, message) for message in new]
        with self._span(tracer, "send", SpanKind.CLIENT, created, is_batch=True):
            return await super().send_batch(created)

    def _created(self, tracer: Tracer, message: NewMessage) -> NewMessage:
        with self._span(tracer, "create", SpanKind.PRODUCER):
            return _with_context(message)

    async def receive_batch(self, limit: int = 10, **options: Any) -> list[Message]:
        began = time.time_ns()
        messages = await super().receive_batch(limit, **options)
        if messages and (tracer := _tracer()):
            with self._span(tracer, "receive", SpanKind.CLIENT, messages, is_batch=True, began=began):
                pass
        return messages

    async def acknowledge(self, message: Content | str) -> None:
        with self._settled("acknowledge", [message]):
            await super().acknowledge(message)

    async def acknowledge_batch(self, messages: Sequence[Content | str]) -> None:
        with self._settled("acknowledge", messages, is_batch=True):
            await super().acknowledge_batch(messages)

    async def release(self, message: Content | str, *, delivered: bool = True) -> None:
        with self._settled("release", [message]):
            await super().release(message, delivered=delivered)

    async def release_batch(self, messages: Sequence[Content | str]) -> None:
        with self._settled("release", messages, is_batch=True):
            await super().release_batch(messages)

    @contextmanager
    def _settled(self, verb: str, held: Sequence[Content | str], *, is_batch: bool = False) -> Iterator[None]:
        tracer = _tracer()
        if tracer is None:
            yield
            return
        messages = [message for message in held if isinstance(message, Content)]
        inside = _inside(messages[0]) if messages and not is_batch else nullcontext()
        with inside, self._span(tracer, verb, SpanKind.CLIENT, messages, is_batch=is_batch):
            yield

    def _span(
        self,
        tracer: Tracer,
        verb: str,
        kind: SpanKind,
        messages: Sequence[NewMessage | Content] = (),
        *,
        is_batch: bool = False,
        began: int | None = None,
    ) -> AbstractContextManager[Span]:
        server = urlsplit(self._connection.url)
        attributes: Attributes = {
            "server.address": server.hostname or "",
            "server.port": server.port or (443 if server.scheme == "https" else 80),
        }
        if is_batch:
            attributes[BATCH] = len(messages)
        return _span(tracer, verb, self.name, kind, messages, attributes, began)


class TracedReceiver(Receiver):
    """A receiver that leaves a span for each message that it hands out."""

    async def __anext__(self) -> Message:
        began = time.time_ns()
        message = await super().__anext__()
        if (tracer := _tracer()) and isinstance(message.queue, TracedQueue):
            with message.queue._span(tracer, "receive", SpanKind.CLIENT, [message], began=began):
                pass
        return message


TracedQueue._receiver = TracedReceiver


@contextmanager
def _span(
    tracer: Tracer,
    verb: str,
    queue: str,
    kind: SpanKind,
    messages: Sequence[NewMessage | Content],
    attributes: Attributes,
    began: int | None = None,
) -> Iterator[Span]:
    """One that is current inside, linked to where the messages were created. `began`: nanoseconds since 1970."""
    attributes = attributes | {
        "messaging.system": "quintet",
        "messaging.operation.name": verb,
        "messaging.operation.type": "settle" if verb in SETTLING else verb,
        "messaging.destination.name": queue,
    }
    if BATCH not in attributes and messages and isinstance(messages[0], Content):
        attributes["messaging.message.id"] = messages[0].id
    with tracer.start_as_current_span(
        f"{verb} {queue}", kind=kind, attributes=attributes, links=_links(messages), start_time=began
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            raise


def _tracer() -> Tracer | None:
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider) else _tracer_of(provider)


@lru_cache(maxsize=1)
def _tracer_of(provider: TracerProvider) -> Tracer:
    return provider.get_tracer("quintet")


# Contexts


def _with_context(message: NewMessage) -> NewMessage:
    """The same message, in the context of the current span."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return structs.replace(message, headers={**message.headers, **carrier})


def _links(messages: Sequence[NewMessage | Content]) -> list[Link]:
    """To where messages were created, as far as they tell."""
    found = (_created_in(message.headers).get_span_context() for message in messages)
    return [Link(creation) for creation in found if creation.is_valid]


def _created_in(headers: Mapping[str, str | bytes]) -> Span:
    carrier = {name: value for name, value in headers.items() if isinstance(value, str)}
    return trace.get_current_span(propagate.extract(carrier, Context()))


@contextmanager
def _inside(message: Content) -> Iterator[None]:
    """The context that came with a message; a span that is current stays so."""
    ambient = trace.get_current_span()
    found = propagate.extract(message.headers)
    if ambient.get_span_context().is_valid:
        found = trace.set_span_in_context(ambient, found)
    token = context.attach(found)
    try:
        yield
    finally:
        context.detach(token)
