"""Messages are sent, and come as they were."""

from typing import Any

import pytest

from tests.integration.http.face import Face, packed


async def test_text_and_bytes_come_as_they_were_sent(face: Face) -> None:
    text = {"value": "Grüße", "key": "customer-7", "headers": {"a": "1"}}
    other = {"valueBase64": packed(b"\xff"), "keyBase64": packed(b"\xfe"), "headersBase64": {"b": packed(b"\xfd")}}
    status, sent = await face.send(text, other)
    assert status == 200
    first, second = await face.receive(wait="20s")
    assert [first["id"], second["id"]] == sent["ids"]
    assert {field: first[field] for field in text} == text
    assert {field: second[field] for field in other} == other
    assert "valueBase64" not in first
    assert "value" not in second
    assert (first["deliveries"], first["sentAt"] <= first["firstReceivedAt"]) == (1, True)


async def test_base64_that_is_text_comes_as_text(face: Face) -> None:
    await face.send({"valueBase64": packed(b"plain")})
    assert [message["value"] for message in await face.receive(wait="20s")] == ["plain"]


async def test_delayed_message_waits(face: Face) -> None:
    await face.send({"value": "much later", "delay": "10m"}, {"value": "now"})
    assert [message["value"] for message in await face.receive()] == ["now"]
    _, info = await face.ask("GET", f"/v1/queues/{face.name}")
    assert info["counts"] == {"visible": 0, "inFlight": 1, "delayed": 1}
    await face.send({"value": "later", "delay": "100ms"})
    assert [message["value"] for message in await face.receive(wait="20s")] == ["later"]


async def test_higher_priorities_are_delivered_first(face: Face) -> None:
    await face.send({"value": "none"}, {"value": "low", "priority": 1}, {"value": "high", "priority": 10})
    await face.send({"value": "delayed", "priority": 5, "delay": "100ms"})
    await face.until_visible(4)
    received = await face.receive_all(4)
    assert [message["value"] for message in received] == ["high", "delayed", "low", "none"]
    assert [message.get("priority") for message in received] == [10, 5, 1, None]
    receipts = [message["receipt"] for message in received]
    assert (await face.verb(":release", {"receipts": receipts[:2]}))[1] == {"results": [None, None]}
    assert (await face.verb(":acknowledge", {"receipts": receipts[2:]}))[1] == {"results": [None, None]}
    again = await face.receive_all(2)
    assert [(message["value"], message["deliveries"]) for message in again] == [("high", 2), ("delayed", 2)]


@pytest.mark.parametrize("priority", [0, 11, "high"])
async def test_a_priority_outside_its_bounds_is_refused(face: Face, priority: Any) -> None:
    status, problem = await face.send({"value": "a", "priority": priority})
    assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")
    assert "priority" in problem["detail"]


async def test_send_of_a_producer_is_stored_once(face: Face) -> None:
    first = await face.send({"value": "a"}, producer={"id": 5, "sequence": 0})
    assert await face.send({"value": "a"}, producer={"id": 5, "sequence": 0}) == first
    await face.send({"value": "b"}, producer={"id": 5, "sequence": 1})
    assert [message["value"] for message in await face.receive(wait="20s")] == ["a", "b"]


async def test_an_expired_message_is_not_delivered_and_is_counted(face: Face) -> None:
    await face.send({"value": "short", "expiry": "50ms"})
    await face.until_visible(0)
    await face.send({"value": "long", "expiry": "1h"}, {"value": "also", "priority": 3, "expiry": "1h"})
    messages = await face.receive_all(2)
    assert [message["value"] for message in messages] == ["also", "long"]
    assert all(message["expiresAt"] == message["sentAt"] + 3_600_000 for message in messages)


async def test_a_fifo_queue_keeps_the_order_of_each_key_and_drops_duplicates(face: Face) -> None:
    name = f"{face.name}-fifo"
    spec = {"ordering": "Fifo", "deduplication": {"contentBased": True}}
    assert (await face.ask("PUT", f"/v1/queues/{name}", spec))[0] == 200
    fifo = Face(face.session, face.base, name)
    status, sent = await fifo.send(
        {"value": "1", "key": "a"},
        {"value": "1", "key": "a"},
        {"value": "2", "key": "a", "deduplicationId": "two"},
        {"value": "3", "key": "b", "deduplicationId": "two"},
    )
    assert status == 200
    assert sent["ids"][0] == sent["ids"][1]
    assert sent["ids"][2] == sent["ids"][3]
    await fifo.send({"value": "4", "key": "b"})
    [one] = await fifo.receive(limit=1)
    [other] = await fifo.receive()
    assert [(message["value"], message["key"], message["sequence"]) for message in (one, other)] == [
        ("1", "a", 0),
        ("4", "b", 2),
    ]
    await fifo.verb(":release", {"receipts": [one["receipt"]]})
    again = await fifo.receive(wait="20s")
    assert [message["value"] for message in again] in (["1"], ["1", "2"])
    for wrong in {"value": "x"}, {"value": "x", "key": "k", "delay": "1s"}, {"value": "x", "key": "k", "priority": 1}:
        status, problem = await fifo.send(wrong)
        assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")
    status, problem = await face.send({"value": "x", "deduplicationId": "1"})
    assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")


async def test_message_too_large_is_refused(face: Face) -> None:
    status, problem = await face.send({"value": "x" * (2**20 + 1)})
    assert (status, problem["type"]) == (413, "urn:quintet:problem:MessageTooLarge")
    assert "1048577 bytes" in problem["detail"]


async def test_full_queue_says_when_to_come_again(face: Face) -> None:
    await face.ask("PATCH", f"/v1/queues/{face.name}", {"limits": {"messages": 1}})
    await face.send({"value": "a"})
    async with face.session.post(f"{face.queue}/messages", json={"messages": [{"value": "b"}]}) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (await response.json(content_type=None))["type"] == "urn:quintet:problem:QueueFull"
