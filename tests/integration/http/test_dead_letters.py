"""What goes to a dead-letter queue, and comes back by a redrive."""

import pytest

from tests.integration.http.face import Face, Json


async def test_dead_letter_names_its_source(face: Face) -> None:
    source = f"{face.name}-source"
    dead_letter = {"deadLetter": {"queue": face.name, "maxReceives": 1}, "visibilityTimeout": "0s"}
    await face.ask("PUT", f"/v1/queues/{source}", dead_letter)
    await face.ask("POST", f"/v1/queues/{source}/messages", {"messages": [{"value": "a"}]})
    await face.ask("POST", f"/v1/queues/{source}/messages:receive", {"wait": "20s"})
    [message] = await face.receive(wait="20s")
    assert message["value"] == "a"
    dead_letter = message["deadLetter"]
    assert message["sentAt"] <= dead_letter.pop("at")
    assert dead_letter == {"source": source, "reason": "MaxReceives", "receives": 1}


async def test_an_expired_message_goes_to_the_dead_letter_queue_where_that_is_asked(face: Face) -> None:
    source = f"{face.name}-source"
    await face.ask("PUT", f"/v1/queues/{source}", {"deadLetter": {"queue": face.name, "expired": True}})
    await face.ask("POST", f"/v1/queues/{source}/messages", {"messages": [{"value": "a", "expiry": "1ms"}]})
    [message] = await face.receive(wait="20s")
    assert "expiresAt" not in message
    assert (message["deadLetter"]["reason"], message["deadLetter"]["receives"]) == ("Expired", 0)


async def test_dead_letters_are_brought_back(face: Face) -> None:
    source = f"{face.name}-source"
    dead_letter = {"deadLetter": {"queue": face.name, "maxReceives": 1}, "visibilityTimeout": "0s"}
    await face.ask("PUT", f"/v1/queues/{source}", dead_letter)
    path = f"/v1/queues/{face.name}:redrive"
    never = {"running": False, "moved": 0, "left": 0, "rate": None, "startedAt": None}
    assert await face.ask("GET", path) == (200, never)
    messages = {"messages": [{"value": value} for value in "abc"]}
    await face.ask("POST", f"/v1/queues/{source}/messages", messages)
    await face.ask("POST", f"/v1/queues/{source}/messages:receive", {"wait": "20s"})
    await face.until_visible(3)
    assert (await face.ask("PATCH", f"/v1/queues/{source}", {"visibilityTimeout": None}))[0] == 200

    status, started = await face.ask("POST", path, {"limit": 1})
    assert (status, started["running"]) == (200, True)
    await face.until_visible(2)
    _, received = await face.ask("POST", f"/v1/queues/{source}/messages:receive", {"wait": "20s"})
    assert [(m["value"], m["deliveries"], "deadLetter" in m) for m in received["messages"]] == [("a", 1, False)]

    status, started = await face.ask("POST", path, {"rate": 0.001})
    assert (status, started["rate"]) == (200, 0.001)
    await face.until_visible(1)
    status, stopped = await face.ask("DELETE", path)
    assert (status, stopped["left"]) == (200, 0)
    other = f"{face.name}-other"
    await face.ask("PUT", f"/v1/queues/{other}", {})
    assert (await face.ask("POST", path, {"target": other}))[0] == 200
    _, received = await face.ask("POST", f"/v1/queues/{other}/messages:receive", {"wait": "20s"})
    assert [message["value"] for message in received["messages"]] == ["c"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"target": "not-there"}, 404, "not-there"),
        ({"rate": 0}, 400, "rate"),
        ({"limit": 0}, 400, "limit"),
        ({"to": "x"}, 400, "to"),
    ],
)
async def test_a_redrive_that_cannot_be_is_refused(face: Face, body: Json, status: int, said: str) -> None:
    found, problem = await face.ask("POST", f"/v1/queues/{face.name}:redrive", body)
    assert (found, said in problem["detail"]) == (status, True)
    found, _ = await face.ask("POST", f"/v1/queues/{face.name}:redrive", {"target": face.name})
    assert found == 400


async def test_the_oldest_messages_make_room(face: Face) -> None:
    source = f"{face.name}-source"
    limits = {"messages": 2, "overflow": "DropOldest"}
    await face.ask("PUT", f"/v1/queues/{source}", {"limits": limits})
    messages = {"messages": [{"value": value} for value in "ab"]}
    await face.ask("POST", f"/v1/queues/{source}/messages", messages)
    limits = {"messages": 2, "overflow": "DeadLetter"}
    status, _ = await face.ask("PATCH", f"/v1/queues/{source}", {"limits": limits})
    assert status == 400
    dead_letter = {"queue": face.name}
    status, _ = await face.ask("PATCH", f"/v1/queues/{source}", {"limits": limits, "deadLetter": dead_letter})
    assert status == 200
    await face.ask("POST", f"/v1/queues/{source}/messages", {"messages": [{"value": "c"}]})
    [message] = await face.receive(wait="20s")
    assert (message["value"], message["deadLetter"]["reason"]) == ("a", "Overflow")
    await face.ask("PATCH", f"/v1/queues/{source}", {"limits": {"messages": 2, "overflow": "DropOldest"}})
    await face.ask("POST", f"/v1/queues/{source}/messages", {"messages": [{"value": "d"}]})
    _, left = await face.ask("POST", f"/v1/queues/{source}/messages:receive", {})
    assert [message["value"] for message in left["messages"]] == ["c", "d"]
