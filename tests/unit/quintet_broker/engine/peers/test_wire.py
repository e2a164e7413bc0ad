"""What brokers say to each other comes over as it was."""

import asyncio
import inspect
from typing import Any

import pytest

from quintet_broker import errors
from quintet_broker.engine import requests
from quintet_broker.engine.peers import wire
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Acknowledge, Append, Count, Counts, Delivery, Extend, Purge, Receive, Request
from quintet_broker.errors import BrokerError, QueueFull, ReceiptStale, Unavailable

RECORD = Record(b"value\xff", 17, b"key", (("name", b"\x00"),))


def fields(request: Request[Any]) -> dict[str, Any]:
    return {name: value for name, value in vars(request).items() if name != "future"}


async def test_a_request_arrives_as_it_was_asked() -> None:
    for request in (
        Append(1, [RECORD], [None], 7, [3]),
        Append(1, [RECORD, RECORD], [5, None]),
        Receive(1, 10, 1000, 2000),
        Acknowledge(1, [(0, 5, 9, 2)]),
        Extend(1, [((0, 5, 9, 1), 1000)]),
        Purge(1),
    ):
        frame = wire.frame(4, [wire.ask(1, 2, request)])
        assert int.from_bytes(frame[: wire.LENGTH_BYTES]) == len(frame) - wire.LENGTH_BYTES
        heard = wire.messages(frame[wire.LENGTH_BYTES :])
        [asked] = heard.messages
        assert heard.generation == 4
        assert isinstance(asked, wire.Ask)
        assert (asked.id, asked.shard) == (1, 2)
        arrived = wire.request(asked)
        assert type(arrived) is type(request)
        assert fields(arrived) == fields(request)


def test_every_request_keeps_its_parameters_as_attributes() -> None:
    """So it travels by them."""

    async def check() -> None:
        for kind in vars(requests).values():
            if inspect.isclass(kind) and issubclass(kind, Request) and kind is not Request:
                names = list(inspect.signature(kind.__init__).parameters)[1:]
                assert names[0] == "at"
                source = inspect.getsource(kind.__init__)
                assert all(f"self.{name} = " in source for name in names[1:]), kind

    asyncio.run(check())


async def test_an_answer_arrives_as_it_was_given() -> None:
    delivery = Delivery(0, 5, 9, 1, 2, 17, 30, [RECORD])
    for request, answer in (
        (Receive(1, 10, 1000, 2000), [delivery]),
        (Count(1), Counts(1, 2, 3)),
        (Purge(1), None),
    ):
        frame = wire.messages(wire.frame(4, [wire.answer(1, answer)])[wire.LENGTH_BYTES :])
        [answered] = frame.messages
        assert isinstance(answered, wire.Answer)
        assert wire.value(answered, request.answer_type) == answer


async def test_errors_arrive_by_name() -> None:
    results: list[BrokerError | None] = [None, ReceiptStale("gone")]
    [answered] = wire.messages(wire.frame(0, [wire.answer(1, results)])[wire.LENGTH_BYTES :]).messages
    assert isinstance(answered, wire.Answer)
    nothing, error = wire.value(answered, Acknowledge.answer_type)
    assert nothing is None
    assert isinstance(error, ReceiptStale)
    assert error.message == "gone"
    assert isinstance(wire.error(wire.refusal(1, QueueFull("full"))), QueueFull)


@pytest.mark.parametrize("name", ["os", "BrokerError.__init__", "Nonsense", "annotations"])
def test_what_is_no_error_of_ours_is_told_as_unavailable(name: str) -> None:
    assert type(wire.error(wire.Refusal(1, name, "text"))) is Unavailable


def test_every_error_can_be_made_from_its_text() -> None:
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, BrokerError):
            assert wire.error(wire.refusal(1, kind("text"))).message == "text"
