"""CloudEvents through a real broker."""

import datetime
from typing import Any

import pytest
from cloudevents.core.v1.event import CloudEvent

import quintet
from quintet import NewMessage
from quintet.cloudevents import from_message, to_message

ATTRIBUTES: dict[str, Any] = {
    "id": "1",
    "source": "/shop",
    "type": "dev.quintet.order",
    "specversion": "1.0",
    "subject": 'Grüße, "100 %"',
    "time": datetime.datetime(2026, 11, 26, 20, 0, 1, 500, datetime.UTC),
    "partitionkey": "customer-7",
}


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize(
    ("data", "content_type"),
    [({"coffees": 2}, "application/json"), ("two coffees", "text/plain"), (b"\xff\x00", "image/png"), (None, None)],
)
async def test_an_event_comes_as_it_was_sent(
    queue: quintet.Queue, structured: bool, data: Any, content_type: str | None
) -> None:
    attributes = ATTRIBUTES | ({"datacontenttype": content_type} if content_type else {})
    event = CloudEvent(attributes, data)
    await queue.send_batch([to_message(event, structured=structured, headers={"x": "y"})])
    [message] = await queue.receive_batch(wait=20)
    found = from_message(message)
    assert found.get_attributes() == event.get_attributes()
    assert (found.get_data() or None) == data
    assert (message.key, message.headers["x"]) == ("customer-7", "y")


async def test_in_binary_mode_attributes_are_headers(queue: quintet.Queue) -> None:
    event = CloudEvent(ATTRIBUTES | {"datacontenttype": "application/json"}, {"coffees": 2})
    await queue.send_batch([to_message(event, key="another", priority=3)])
    [message] = await queue.receive_batch(wait=20, selector="headers['ce-type'] == 'dev.quintet.order'")
    assert (message.key, message.priority) == ("another", 3)
    assert message.text == '{"coffees": 2}'
    assert message.headers == {
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-type": "dev.quintet.order",
        "ce-specversion": "1.0",
        "ce-subject": "Gr%C3%BC%C3%9Fe,%20%22100%20%25%22",
        "ce-time": "2026-11-26T20:00:01.000500Z",
        "ce-partitionkey": "customer-7",
        "content-type": "application/json",
    }


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ("plain", {}),
        ("{}", {"ce-id": "1"}),
        ("no JSON", {"content-type": "application/cloudevents+json"}),
        ("{}", {"content-type": "application/cloudevents+json"}),
        ("{", {**{f"ce-{name}": "1" for name in ("id", "source", "type")}, "ce-specversion": "1.0", "ce-time": "now"}),
    ],
)
async def test_what_is_no_event_is_refused(queue: quintet.Queue, value: str, headers: dict[str, str]) -> None:
    await queue.send_batch([NewMessage(value, headers=headers)])
    [message] = await queue.receive_batch(wait=20)
    with pytest.raises(ValueError, match="is no CloudEvent"):
        from_message(message)
