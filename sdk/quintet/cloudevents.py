"""CloudEvents 1.0 as messages, with the official SDK: `pip install 'quintet[cloudevents]'`.

As its HTTP and NATS bindings have it: in binary mode each attribute is a header `ce-<name>`, percent-encoded, and
`datacontenttype` is `content-type`; in structured mode the event is the value, as `application/cloudevents+json`.
"""

from collections.abc import Mapping
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_binary_event,
    from_structured_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.exceptions import BaseCloudEventException

from quintet.message import Content, NewMessage

STRUCTURED = "application/cloudevents"
"""What the content type of a whole event begins with."""


def to_message(
    event: BaseCloudEvent, *, structured: bool = False, headers: Mapping[str, str | bytes] | None = None, **options: Any
) -> NewMessage:
    """The message of an event, for `Queue.send_batch`.

    Its key is the extension attribute `partitionkey`, as Kafka's binding has it, unless `options` has one. `headers`:
    more than the event's own. `options`: fields of NewMessage, as `delay`.
    """
    found = (to_structured_event if structured else to_binary_event)(event)
    key = options.pop("key", event.get_extension("partitionkey"))
    return NewMessage(found.body, key, {**(headers or {}), **found.headers}, **options)


def from_message(message: Content) -> BaseCloudEvent:
    """The event of a message, in either mode. Raises ValueError where it is none."""
    found = HTTPMessage({name.lower(): value for name, value in message.headers.items()}, message.value)
    is_structured = found.headers.get("content-type", "").lower().startswith(STRUCTURED)
    try:
        return (from_structured_event if is_structured else from_binary_event)(found)
    except (BaseCloudEventException, ValueError) as error:
        raise ValueError(f"Message {message.id} is no CloudEvent: {error}") from error
