import pytest

from quintet_broker.engine.state import producers
from quintet_broker.engine.state.producers import IDLE, Producers


def test_before_the_first_append_nothing_is_known() -> None:
    assert Producers().last(7) == -1


def test_it_is_loaded_as_it_was() -> None:
    some = Producers()
    stored = {number: some.advance(number, last, 10, at=last).encode() for number, last in ((7, 3), (-2, 9))}
    loaded = Producers.load(stored)
    assert (loaded.last(7), loaded.last(-2)) == (3, 9)


def test_idle_clients_are_forgotten_and_shards_never() -> None:
    some = Producers()
    some.advance(-2, 0, 0, at=0)
    some.advance(7, 0, 0, at=0)
    some.advance(8, 0, 0, at=1)
    assert some.forget(IDLE) == [7]
    assert (some.last(-2), some.last(7), some.last(8)) == (0, -1, 0)


def test_too_many_clients_lose_the_longest_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producers, "MAX_PRODUCERS", 2)
    some = Producers()
    for number in range(1, 5):
        some.advance(number, 0, 0, at=number)
    some.advance(1, 1, 0, at=9)
    assert some.forget(now=10) == [2, 3]
