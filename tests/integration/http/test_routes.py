"""/v1/ on the wire, as any HTTP client sees it."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from tests.processes import Broker

Json = dict[str, Any]


class Face:
    """One queue's paths, and requests without a client's help."""

    def __init__(self, session: aiohttp.ClientSession, base: str, name: str) -> None:
        self.session = session
        self.base = base
        self.name = name
        self.queue = f"{base}/v1/queues/{name}"

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """(status, JSON); a refusal is checked to be a problem document."""
        if body is not None:
            options["data"] = BytesIO(json.dumps(body).encode())
        async with self.session.request(method, self.base + path, **options) as response:
            answer: Any = await response.json(content_type=None) if await response.read() else None
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
                assert answer["status"] == response.status
                assert answer["type"].startswith("urn:quintet:problem:")
                assert answer["title"]
                assert answer["detail"]
            return response.status, answer

    async def verb(self, verb: str, body: Any) -> tuple[int, Any]:
        return await self.ask("POST", f"/v1/queues/{self.name}/messages{verb}", body)

    async def send(self, *messages: Json, **more: Any) -> tuple[int, Any]:
        return await self.verb("", {"messages": messages, **more})

    async def receive(self, **body: Any) -> list[Json]:
        status, answer = await self.verb(":receive", body)
        assert status == 200
        messages: list[Json] = answer["messages"]
        return messages

    async def until_visible(self, count: int) -> None:
        async with asyncio.timeout(10):
            while (await self.ask("GET", f"/v1/queues/{self.name}"))[1]["counts"]["visible"] != count:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)


@pytest.fixture
async def face(broker: Broker) -> AsyncIterator[Face]:
    async with aiohttp.ClientSession() as session:
        face = Face(session, broker.http_url, f"http-{uuid.uuid4().hex[:8]}")
        assert (await face.ask("PUT", f"/v1/queues/{face.name}", {}))[0] == 200
        yield face


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


# Queues


async def test_queue_is_made_told_changed_listed_and_deleted(face: Face) -> None:
    name = f"{face.name}-made"
    path = f"/v1/queues/{name}"
    status, made = await face.ask("PUT", path, {"visibilityTimeout": "1m", "limits": {"inFlight": 5}})
    assert (status, made["name"], made["origin"]) == (200, name, "Runtime")
    assert (made["spec"]["visibilityTimeout"], made["spec"]["limits"]["inFlight"]) == ("1m", 5)
    assert made["counts"] == {"visible": 0, "inFlight": 0, "delayed": 0}
    assert await face.ask("GET", path) == (200, made)
    assert await face.ask("PUT", path, {"visibilityTimeout": "60s", "limits": {"inFlight": 5}}) == (200, made)

    status, changed = await face.ask("PATCH", path, {"deliveryDelay": "2s", "visibilityTimeout": None})
    assert (status, changed["spec"]["deliveryDelay"], changed["spec"]["visibilityTimeout"]) == (200, "2s", "30s")
    assert changed["spec"]["limits"]["inFlight"] == 5

    status, listed = await face.ask("GET", "/v1/queues", params={"prefix": face.name})
    assert (status, [queue["name"] for queue in listed["queues"]]) == (200, [face.name, name])
    assert await face.ask("DELETE", path) == (204, None)
    assert (await face.ask("GET", path))[0] == 404
    assert (await face.ask("DELETE", path))[0] == 404


async def test_a_change_leaves_what_it_does_not_name(face: Face) -> None:
    path = f"/v1/queues/{face.name}"
    await face.ask("PATCH", path, {"limits": {"inFlight": 5, "messages": 9}, "deadLetter": None})
    _, changed = await face.ask("PATCH", path, {"limits": {"messages": 7}})
    assert (changed["spec"]["limits"]["inFlight"], changed["spec"]["limits"]["messages"]) == (5, 7)
    _, changed = await face.ask("PATCH", path, {"limits": {"messages": None}})
    assert changed["spec"]["limits"] == {"inFlight": 5, "overflow": "Reject"}


async def test_changes_of_several_fields_at_once_all_hold(face: Face) -> None:
    path = f"/v1/queues/{face.name}"
    fields = ("deliveryDelay", "receiveWaitTime", "visibilityTimeout")
    for seconds in range(1, 6):
        changes = [face.ask("PATCH", path, {field: f"{seconds}s"}) for field in fields]
        assert [status for status, _ in await asyncio.gather(*changes)] == [200] * len(fields)
        _, found = await face.ask("GET", path)
        assert [found["spec"][field] for field in fields] == [f"{seconds}s"] * len(fields)


async def test_queue_of_other_attributes_is_refused(face: Face) -> None:
    status, problem = await face.ask("PUT", f"/v1/queues/{face.name}", {"visibilityTimeout": "5s"})
    assert (status, problem["type"]) == (409, "urn:quintet:problem:QueueExists")


@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        ({"visibilityTimeout": "13h"}, 400, "visibilityTimeout"),
        ({"visibilityTimeout": 30}, 400, "visibilityTimeout"),
        ({"limits": {"inFlight": 0}}, 400, "limits.inFlight"),
        ({"limits": {"inflight": 1}}, 400, "limits.inflight"),
        ({"nonsense": 1}, 400, "nonsense"),
        ({"brokerPool": "other"}, 400, "brokerPool"),
        ({"limits": {"overflow": "DeadLetter"}}, 400, "limits.overflow"),
        ({"deadLetter": {"queue": "not-there"}}, 409, "not-there"),
        ([], 400, "object"),
        ("text", 400, "object"),
    ],
)
async def test_bad_spec_is_refused_by_its_field(face: Face, spec: Any, status: int, said: str) -> None:
    for method, path in ("PUT", f"/v1/queues/{face.name}-bad"), ("PATCH", f"/v1/queues/{face.name}"):
        found, problem = await face.ask(method, path, spec)
        assert found == status
        assert said in problem["detail"]


@pytest.mark.parametrize("name", ["dots.in.it", "sp%20ace", "x" * 81, "%C3%A9"])
async def test_bad_name_is_refused(face: Face, name: str) -> None:
    status, problem = await face.ask("PUT", f"/v1/queues/{name}", {})
    assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")


# Messages


async def test_text_and_bytes_come_as_they_were_sent(face: Face) -> None:
    text = {"value": "Grüße", "key": "customer-7", "headers": {"a": "1"}}
    other = {"valueBase64": _packed(b"\xff"), "keyBase64": _packed(b"\xfe"), "headersBase64": {"b": _packed(b"\xfd")}}
    status, sent = await face.send(text, other)
    assert status == 200
    first, second = await face.receive(wait="5s")
    assert [first["id"], second["id"]] == sent["ids"]
    assert {field: first[field] for field in text} == text
    assert {field: second[field] for field in other} == other
    assert "valueBase64" not in first
    assert "value" not in second
    assert (first["deliveries"], first["sentAt"] <= first["firstReceivedAt"]) == (1, True)


async def test_base64_that_is_text_comes_as_text(face: Face) -> None:
    await face.send({"valueBase64": _packed(b"plain")})
    assert [message["value"] for message in await face.receive(wait="5s")] == ["plain"]


async def test_delayed_message_waits(face: Face) -> None:
    await face.send({"value": "later", "delay": "300ms"}, {"value": "now"})
    assert [message["value"] for message in await face.receive()] == ["now"]
    _, info = await face.ask("GET", f"/v1/queues/{face.name}")
    assert info["counts"] == {"visible": 0, "inFlight": 1, "delayed": 1}
    assert [message["value"] for message in await face.receive(wait="5s")] == ["later"]


async def test_higher_priorities_are_delivered_first(face: Face) -> None:
    await face.send({"value": "none"}, {"value": "low", "priority": 1}, {"value": "high", "priority": 10})
    await face.send({"value": "delayed", "priority": 5, "delay": "100ms"})
    await face.until_visible(4)
    received = await face.receive()
    assert [message["value"] for message in received] == ["high", "delayed", "low", "none"]
    assert [message.get("priority") for message in received] == [10, 5, 1, None]
    receipts = [message["receipt"] for message in received]
    assert (await face.verb(":release", {"receipts": receipts[:2]}))[1] == {"results": [None, None]}
    assert (await face.verb(":acknowledge", {"receipts": receipts[2:]}))[1] == {"results": [None, None]}
    # A receive may answer before a lower priority is read again.
    again = [*await face.receive(), *await face.receive()]
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
    assert [message["value"] for message in await face.receive(wait="5s")] == ["a", "b"]


async def test_receive_waits_for_the_first(face: Face) -> None:
    waiting = asyncio.create_task(face.receive(wait="20s"))
    await face.receive()
    assert not waiting.done()
    await face.send({"value": "a"})
    assert len(await asyncio.wait_for(waiting, 5)) == 1


async def test_receive_gives_up_after_its_wait(face: Face) -> None:
    started = asyncio.get_running_loop().time()
    assert await face.receive(wait="200ms") == []
    assert asyncio.get_running_loop().time() - started > 0.15


async def test_receive_whose_client_left_takes_nothing(face: Face) -> None:
    for _ in range(3):
        waiting = asyncio.create_task(face.receive(wait="20s"))
        await face.receive()
        waiting.cancel()
        await asyncio.wait([waiting])
    await face.send({"value": "a"})
    [message] = await face.receive(wait="5s")
    assert message["deliveries"] == 1


async def test_limit_is_kept(face: Face) -> None:
    await face.send(*({"value": str(number)} for number in range(12)))
    assert len(await face.receive(limit=7)) == 7
    assert len(await face.receive(limit=7)) == 5


async def test_settling_answers_for_each_receipt(face: Face) -> None:
    await face.send({"value": "a"}, {"value": "b"})
    first, second = [message["receipt"] for message in await face.receive(wait="5s")]
    status, answer = await face.verb(":release", {"receipts": [first, "nonsense"]})
    released, invalid = answer["results"]
    assert (status, released, invalid["type"], invalid["status"]) == (
        200,
        None,
        "urn:quintet:problem:ReceiptInvalid",
        422,
    )
    [again] = await face.receive(wait="5s")
    assert again["deliveries"] == 2
    _, answer = await face.verb(":acknowledge", {"receipts": [first, second, again["receipt"], again["receipt"]]})
    stale, *fine = answer["results"]
    assert (stale["type"], stale["status"], fine) == ("urn:quintet:problem:ReceiptStale", 410, [None, None, None])


async def test_extend_hides_longer(face: Face) -> None:
    await face.send({"value": "a"})
    [message] = await face.receive(wait="5s", visibilityTimeout="300ms")
    extension = {"receipt": message["receipt"], "visibilityTimeout": "1m"}
    assert await face.verb(":extend", {"extensions": [extension]}) == (200, {"results": [None]})
    assert await face.receive(wait="600ms") == []


async def test_visibility_timeout_makes_visible_again(face: Face) -> None:
    await face.send({"value": "a"})
    await face.receive(wait="5s", visibilityTimeout="200ms")
    [again] = await face.receive(wait="5s")
    assert again["deliveries"] == 2


async def test_purge_drops_everything(face: Face) -> None:
    await face.send({"value": "a"}, {"value": "b", "delay": "1m"}, {"value": "c"})
    await face.receive(limit=1)
    assert await face.ask("POST", f"/v1/queues/{face.name}:purge") == (204, None)
    _, info = await face.ask("GET", f"/v1/queues/{face.name}")
    assert info["counts"] == {"visible": 0, "inFlight": 0, "delayed": 0}


async def test_dead_letter_names_its_source(face: Face) -> None:
    source = f"{face.name}-source"
    dead_letter = {"deadLetter": {"queue": face.name, "maxReceives": 1}, "visibilityTimeout": "0s"}
    await face.ask("PUT", f"/v1/queues/{source}", dead_letter)
    await face.ask("POST", f"/v1/queues/{source}/messages", {"messages": [{"value": "a"}]})
    await face.ask("POST", f"/v1/queues/{source}/messages:receive", {"wait": "5s"})
    [message] = await face.receive(wait="5s")
    assert message["value"] == "a"
    dead_letter = message["deadLetter"]
    assert message["sentAt"] <= dead_letter.pop("at")
    assert dead_letter == {"source": source, "reason": "MaxReceives", "receives": 1}


async def test_an_expired_message_is_not_delivered_and_is_counted(face: Face) -> None:
    await face.send({"value": "short", "expiry": "50ms"})
    await face.until_visible(0)
    await face.send({"value": "long", "expiry": "1h"}, {"value": "also", "priority": 3, "expiry": "1h"})
    messages = await face.receive()
    assert [message["value"] for message in messages] == ["also", "long"]
    assert all(message["expiresAt"] == message["sentAt"] + 3_600_000 for message in messages)


async def test_an_expired_message_goes_to_the_dead_letter_queue_where_that_is_asked(face: Face) -> None:
    source = f"{face.name}-source"
    await face.ask("PUT", f"/v1/queues/{source}", {"deadLetter": {"queue": face.name, "expired": True}})
    await face.ask("POST", f"/v1/queues/{source}/messages", {"messages": [{"value": "a", "expiry": "1ms"}]})
    [message] = await face.receive(wait="5s")
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
    await face.ask("POST", f"/v1/queues/{source}/messages:receive", {"wait": "5s"})
    await face.until_visible(3)
    assert (await face.ask("PATCH", f"/v1/queues/{source}", {"visibilityTimeout": None}))[0] == 200

    status, started = await face.ask("POST", path, {"limit": 1})
    assert (status, started["running"]) == (200, True)
    await face.until_visible(2)
    _, received = await face.ask("POST", f"/v1/queues/{source}/messages:receive", {"wait": "5s"})
    assert [(m["value"], m["deliveries"], "deadLetter" in m) for m in received["messages"]] == [("a", 1, False)]

    status, started = await face.ask("POST", path, {"rate": 0.001})
    assert (status, started["rate"]) == (200, 0.001)
    await face.until_visible(1)
    status, stopped = await face.ask("DELETE", path)
    assert (status, stopped["left"]) == (200, 0)
    other = f"{face.name}-other"
    await face.ask("PUT", f"/v1/queues/{other}", {})
    assert (await face.ask("POST", path, {"target": other}))[0] == 200
    _, received = await face.ask("POST", f"/v1/queues/{other}/messages:receive", {"wait": "5s"})
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
    [message] = await face.receive(wait="5s")
    assert (message["value"], message["deadLetter"]["reason"]) == ("a", "Overflow")
    await face.ask("PATCH", f"/v1/queues/{source}", {"limits": {"messages": 2, "overflow": "DropOldest"}})
    await face.ask("POST", f"/v1/queues/{source}/messages", {"messages": [{"value": "d"}]})
    _, left = await face.ask("POST", f"/v1/queues/{source}/messages:receive", {})
    assert [message["value"] for message in left["messages"]] == ["c", "d"]


# Refusals

REFUSALS: list[tuple[str, Any, str]] = [
    ("", {}, "messages"),
    ("", {"messages": []}, "messages"),
    ("", {"messages": [{}]}, "messages[0]"),
    ("", {"messages": [{"value": "a"}, {"value": "a", "valueBase64": ""}]}, "messages[1].value"),
    ("", {"messages": [{"value": "a", "key": "b", "keyBase64": ""}]}, "messages[0].key"),
    ("", {"messages": [{"valueBase64": "?"}]}, "messages[0].valueBase64"),
    ("", {"messages": [{"value": "a", "headersBase64": {"h": "?"}}]}, "messages[0].headersBase64"),
    ("", {"messages": [{"value": "a", "headers": {"h": 1}}]}, "messages[0].headers"),
    ("", {"messages": [{"value": "a", "headers": {"quintet-id": "x"}}]}, "quintet-"),
    ("", {"messages": [{"value": "a", "delay": "16m"}]}, "delay"),
    ("", {"messages": [{"value": "a", "delay": "soon"}]}, "messages[0].delay"),
    ("", {"messages": [{"value": "a", "delay": 5}]}, "messages[0].delay"),
    ("", {"messages": [{"value": "a", "nonsense": 1}]}, "nonsense"),
    ("", {"messages": [{"value": "a"}], "producer": {"id": 0, "sequence": 0}}, "producer.id"),
    ("", {"messages": [{"value": "a"}], "producer": {"id": 1, "sequence": -1}}, "producer.sequence"),
    ("", {"messages": [{"value": "a"}], "producer": {"id": 2**53, "sequence": 0}}, "producer.id"),
    (":receive", {"limit": 0}, "limit"),
    (":receive", {"limit": 1001}, "limit"),
    (":receive", {"wait": "21s"}, "waits 0 to 20"),
    (":receive", {"wait": "99999999999999999999h"}, "wait"),
    (":receive", {"visibilityTimeout": "13h"}, "visibility timeout"),
    (":receive", {"visibilityTimeout": "x"}, "visibilityTimeout"),
    (":acknowledge", {}, "receipts"),
    (":acknowledge", {"receipts": []}, "receipts"),
    (":acknowledge", {"receipts": ["x" * 257]}, "receipts[0]"),
    (":release", {"receipts": [1]}, "receipts[0]"),
    (":extend", {"extensions": [{"receipt": "a"}]}, "visibilityTimeout"),
    (":extend", {"extensions": [{"receipt": "a", "visibilityTimeout": "13h"}]}, "visibility timeout"),
]


@pytest.mark.parametrize(("verb", "body", "said"), REFUSALS)
async def test_bad_body_is_refused_by_its_field(face: Face, verb: str, body: Any, said: str) -> None:
    status, problem = await face.verb(verb, body)
    assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")
    assert said in problem["detail"]
    assert await face.receive() == []


@pytest.mark.parametrize("body", [b"{", b'{"messages": [{"value": "\xff"}]}', rb'{"messages": [{"value": "\ud800"}]}',
                                  b"[" * 100_000, b'{"messages":' * 50_000])  # fmt: skip
async def test_what_is_no_json_is_refused(face: Face, body: bytes) -> None:
    for method, path in ("POST", f"/v1/queues/{face.name}/messages"), ("PUT", f"/v1/queues/{face.name}"):
        status, problem = await face.ask(method, path, data=body)
        assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")


async def test_message_too_large_is_refused(face: Face) -> None:
    status, problem = await face.send({"value": "x" * (2**20 + 1)})
    assert (status, problem["type"]) == (413, "urn:quintet:problem:MessageTooLarge")
    assert "1048577 bytes" in problem["detail"]


async def test_body_too_large_is_refused(face: Face) -> None:
    status, problem = await face.send(*({"value": "x" * 2**20} for _ in range(17)))
    assert (status, problem["type"]) == (413, "urn:quintet:problem:MessageTooLarge")


async def test_full_queue_says_when_to_come_again(face: Face) -> None:
    await face.ask("PATCH", f"/v1/queues/{face.name}", {"limits": {"messages": 1}})
    await face.send({"value": "a"})
    async with face.session.post(f"{face.queue}/messages", json={"messages": [{"value": "b"}]}) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (await response.json(content_type=None))["type"] == "urn:quintet:problem:QueueFull"


async def test_in_flight_limit_is_told(face: Face) -> None:
    await face.ask("PATCH", f"/v1/queues/{face.name}", {"limits": {"inFlight": 1}})
    await face.send({"value": "a"}, {"value": "b"})
    assert len(await face.receive(wait="5s")) == 1
    status, problem = await face.verb(":receive", {})
    assert (status, problem["type"]) == (429, "urn:quintet:problem:TooManyInFlight")


@pytest.mark.parametrize("path", ["/v1/", "/v1/nothing", "/v1/queues/a/b", "/v1/queues/a/messages:nothing"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_operation_is_not_found(face: Face, method: str, path: str) -> None:
    status, problem = await face.ask(method, path)
    assert (status, problem["type"]) == (404, "urn:quintet:problem:NotFound")


async def test_wrong_method_is_told_the_right_ones(face: Face) -> None:
    async with face.session.post(face.queue) as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(", ")) >= {"GET", "PUT", "PATCH", "DELETE"}
        assert (await response.json(content_type=None))["type"] == "urn:quintet:problem:MethodNotAllowed"


@pytest.mark.parametrize("verb", ["", ":receive", ":acknowledge", ":release", ":extend"])
async def test_queue_that_is_not_there_is_not_found(face: Face, verb: str) -> None:
    bodies: Json = {
        "": {"messages": [{"value": "a"}]},
        ":receive": {},
        ":extend": {"extensions": [{"receipt": "a", "visibilityTimeout": "1s"}]},
    }
    status, problem = await face.ask(
        "POST", f"/v1/queues/{face.name}-not/messages{verb}", bodies.get(verb, {"receipts": ["a"]})
    )
    assert (status, problem["type"]) == (404, "urn:quintet:problem:QueueNotFound")
    assert f"{face.name}-not" in problem["detail"]


async def test_a_message_that_nobody_saw_is_released_uncounted(face: Face) -> None:
    dead = f"{face.name}-dead"
    await face.ask("PUT", f"/v1/queues/{dead}", {})
    await face.ask("PATCH", f"/v1/queues/{face.name}", {"deadLetter": {"queue": dead, "maxReceives": 1}})
    await face.send({"value": "a"})
    for _ in range(3):
        [message] = await face.receive()
        assert message["deliveries"] == 1
        receipts = [message["receipt"], "nonsense"]
        _, answer = await face.verb(":release", {"receipts": receipts, "delivered": False})
        assert [result and result["type"] for result in answer["results"]] == [
            None,
            "urn:quintet:problem:ReceiptInvalid",
        ]
    [message] = await face.receive()
    assert (await face.verb(":release", {"receipts": [message["receipt"]]}))[1] == {"results": [None]}
    assert await face.receive() == []


async def test_a_peek_shows_messages_and_changes_nothing(face: Face) -> None:
    await face.send({"value": "a", "key": "k", "headers": {"h": "x"}}, {"valueBase64": "/w=="}, {"value": "c"})
    [held] = await face.receive(limit=1)
    status, first = await face.verb(":peek", {"limit": 2})
    assert status == 200
    assert first["messages"] == [
        {
            "id": held["id"],
            "sentAt": held["sentAt"],
            "firstReceivedAt": held["firstReceivedAt"],
            "deliveries": 1,
            "state": "inFlight",
            "value": "a",
            "key": "k",
            "headers": {"h": "x"},
        },
        {
            "id": first["messages"][1]["id"],
            "sentAt": held["sentAt"],
            "deliveries": 0,
            "state": "visible",
            "valueBase64": "/w==",
        },
    ]
    _, rest = await face.verb(":peek", {"from": first["next"]})
    assert ([message["value"] for message in rest["messages"]], rest["next"]) == (["c"], None)
    assert len(await face.receive()) == 2
    for wrong in {"limit": 0}, {"from": "nowhere"}, {"from": "AQAAAAEAAAAAAAAAAAA="}:
        status, problem = await face.verb(":peek", wrong)
        assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")


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
    again = await fifo.receive(wait="5s")
    assert [message["value"] for message in again] in (["1"], ["1", "2"])
    for wrong in {"value": "x"}, {"value": "x", "key": "k", "delay": "1s"}, {"value": "x", "key": "k", "priority": 1}:
        status, problem = await fifo.send(wrong)
        assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")
    status, problem = await face.send({"value": "x", "deduplicationId": "1"})
    assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")
