"""/v1/queues: they are made, told, changed, listed and deleted."""

import asyncio
from typing import Any

import pytest

from tests.integration.http.face import Face


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
        ({"consumers": "One"}, 400, "consumers"),
        ({"consumers": "Exclusive", "shards": 2}, 400, "shards: more than one need consumers to be Shared"),
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


async def test_purge_drops_everything(face: Face) -> None:
    await face.send({"value": "a"}, {"value": "b", "delay": "1m"}, {"value": "c"})
    await face.receive(limit=1)
    assert await face.ask("POST", f"/v1/queues/{face.name}:purge") == (204, None)
    _, info = await face.ask("GET", f"/v1/queues/{face.name}")
    assert info["counts"] == {"visible": 0, "inFlight": 0, "delayed": 0}
