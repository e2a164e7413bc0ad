"""messages:receive and messages:peek."""

import asyncio
import json

from tests.integration.http.face import Face


async def test_receive_waits_for_the_first(face: Face) -> None:
    waiting = asyncio.create_task(face.receive(wait="20s"))
    await face.receive()
    assert not waiting.done()
    await face.send({"value": "a"})
    assert len(await asyncio.wait_for(waiting, 30)) == 1


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
    [message] = await face.receive(wait="20s")
    assert message["deliveries"] == 1


async def test_limit_is_kept(face: Face) -> None:
    await face.send(*({"value": str(number)} for number in range(12)))
    assert len(await face.receive(limit=7)) == 7
    assert len(await face.receive(limit=7)) == 5


async def test_visibility_timeout_makes_visible_again(face: Face) -> None:
    await face.send({"value": "a"})
    await face.receive(wait="20s", visibilityTimeout="200ms")
    [again] = await face.receive(wait="20s")
    assert again["deliveries"] == 2


async def test_in_flight_limit_is_told(face: Face) -> None:
    await face.ask("PATCH", f"/v1/queues/{face.name}", {"limits": {"inFlight": 1}})
    await face.send({"value": "a"}, {"value": "b"})
    assert len(await face.receive(wait="20s")) == 1
    status, problem = await face.verb(":receive", {})
    assert (status, problem["type"]) == (429, "urn:quintet:problem:TooManyInFlight")


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


async def test_a_selector_chooses_messages_and_leaves_the_others(face: Face) -> None:
    regions = ["eu", "us", "eu", "us"]
    await face.send(
        *[{"value": json.dumps({"total": total}), "headers": {"region": r}} for total, r in enumerate(regions)]
    )
    chosen = await face.receive(selector="headers.region == 'us' && body.total > 1")
    assert [one["value"] for one in chosen] == ['{"total": 3}']
    assert await face.receive(selector="headers.region == 'asia'") == []
    waiting = asyncio.create_task(face.receive(selector="headers.region == 'asia'", wait="20s"))
    rest = [one["value"] for _ in range(4) for one in await face.receive(limit=1)]
    assert sorted(rest) == ['{"total": 0}', '{"total": 1}', '{"total": 2}']
    await face.send({"value": "x", "headers": {"region": "asia"}})
    assert [one["value"] for one in await waiting] == ["x"]


async def test_a_selector_that_is_no_cel_is_refused_in_its_words(face: Face) -> None:
    status, problem = await face.verb(":receive", {"selector": "headers.region = 'eu'"})
    assert status == 400
    assert "token recognition error at: '= '" in problem["detail"]


async def test_a_tail_shows_what_came_since_settled_or_not(face: Face) -> None:
    await face.send({"value": "before"})
    status, end = await face.verb(":tail", {})
    assert (status, end["messages"], end["missed"]) == (200, [], 0)
    await face.send({"value": "a", "key": "k", "headers": {"h": "x"}}, {"value": "b"})
    before, taken, other = await face.receive()
    await face.verb(":acknowledge", {"receipts": [before["receipt"], taken["receipt"]]})
    status, first = await face.verb(":tail", {"from": end["next"], "limit": 1})
    content = {"id": taken["id"], "sentAt": taken["sentAt"], "value": "a", "key": "k", "headers": {"h": "x"}}
    assert (status, first["messages"]) == (200, [content])
    _, rest = await face.verb(":tail", {"from": first["next"]})
    assert [message["value"] for message in rest["messages"]] == ["b"]
    _, none = await face.verb(":tail", {"from": rest["next"]})
    assert none["messages"] == []
    assert (await face.verb(":acknowledge", {"receipts": [other["receipt"]]}))[0] == 200
    _, since = await face.verb(":tail", {"since": taken["sentAt"]})
    assert [message["value"] for message in since["messages"]][-2:] == ["a", "b"]
    for wrong in {"limit": 0}, {"from": "nowhere"}, {"from": "kwEAgc0A/4EAAA=="}:
        status, problem = await face.verb(":tail", wrong)
        assert (status, problem["type"]) == (400, "urn:quintet:problem:InvalidArgument")
