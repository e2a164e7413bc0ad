"""Requests that no tick took, and the bytes that they take of the whole broker's."""

import pytest

from quintet_broker.engine.asked.arrivals import WAITING_BYTES, Arrivals
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append, Purge
from quintet_broker.errors import Overloaded, Unavailable


class Shared:
    waiting_bytes = 0


def append(size: int, at: int = 0) -> Append:
    return Append(at, [Record(bytes(size), 0)], [None])


async def test_too_much_is_refused_until_some_is_taken() -> None:
    shared = Shared()
    arrivals, others = Arrivals(shared), Arrivals(shared)
    half = append(WAITING_BYTES // 2 + 1)
    arrivals.add(half)
    with pytest.raises(Overloaded):
        others.add(append(WAITING_BYTES // 2))
    others.add(Purge(0))
    assert arrivals.take() is half
    others.add(append(WAITING_BYTES // 2))


async def test_every_way_out_gives_its_bytes_back() -> None:
    shared = Shared()
    arrivals = Arrivals(shared)
    taken, cancelled, old, young = append(1), append(2), append(4, at=1), append(8, at=3)
    for request in taken, cancelled, old, young:
        arrivals.add(request)
    assert arrivals.take() is taken
    arrivals.put_back(taken)
    assert shared.waiting_bytes == 15
    assert arrivals.take() is taken
    cancelled.future.cancel()
    assert shared.waiting_bytes == 14
    arrivals.put_back(cancelled)
    assert shared.waiting_bytes == 14
    arrivals.refuse(Unavailable(), before=2)
    assert isinstance(old.future.exception(), Unavailable)
    assert shared.waiting_bytes == 8
    assert arrivals.take() is young
    assert arrivals.take() is None
    assert shared.waiting_bytes == 0
    assert not arrivals
