"""messages:acknowledge, messages:release and messages:extend."""

from tests.integration.http.face import Face


async def test_settling_answers_for_each_receipt(face: Face) -> None:
    await face.send({"value": "a"}, {"value": "b"})
    first, second = [message["receipt"] for message in await face.receive(wait="20s")]
    status, answer = await face.verb(":release", {"receipts": [first, "nonsense"]})
    released, invalid = answer["results"]
    assert (status, released, invalid["type"], invalid["status"]) == (
        200,
        None,
        "urn:quintet:problem:ReceiptInvalid",
        422,
    )
    [again] = await face.receive(wait="20s")
    assert again["deliveries"] == 2
    _, answer = await face.verb(":acknowledge", {"receipts": [first, second, again["receipt"], again["receipt"]]})
    stale, *fine = answer["results"]
    assert (stale["type"], stale["status"], fine) == ("urn:quintet:problem:ReceiptStale", 410, [None, None, None])


async def test_extend_hides_longer(face: Face) -> None:
    await face.send({"value": "a"})
    [message] = await face.receive(wait="20s", visibilityTimeout="300ms")
    extension = {"receipt": message["receipt"], "visibilityTimeout": "1m"}
    assert await face.verb(":extend", {"extensions": [extension]}) == (200, {"results": [None]})
    assert await face.receive(wait="600ms") == []


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
