"""Whether what the client does leaves spans. OpenTelemetry is not loaded before the program does it."""

import sys
from contextlib import AbstractContextManager, nullcontext

from quintet.message import Message
from quintet.queue import Queue


def queue_kind() -> type[Queue]:
    """The kind of queue that leaves spans, where the program uses OpenTelemetry."""
    if not _is_used():
        return Queue
    from quintet.otel import TracedQueue

    return TracedQueue


def processing(message: Message) -> AbstractContextManager[None]:
    """The span in which a message is handled."""
    if not _is_used():
        return nullcontext()
    from quintet.otel import process

    return process(message)


def _is_used() -> bool:
    return "opentelemetry.trace" in sys.modules
