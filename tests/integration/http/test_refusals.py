"""Requests that cannot be served are told what is wrong."""

from typing import Any

import pytest

from tests.integration.http.face import Face, Json

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


async def test_body_too_large_is_refused(face: Face) -> None:
    status, problem = await face.send(*({"value": "x" * 2**20} for _ in range(17)))
    assert (status, problem["type"]) == (413, "urn:quintet:problem:MessageTooLarge")


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
