"""How much is held ahead follows how fast it is read."""

from typing import Any, cast

import pytest

from quintet import frames, window
from quintet.receive import Receive
from quintet.window import MOST, Window, in_a_moment


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(window, "_now", lambda: self.now)


def opened(credit: int) -> tuple[Receive, list[int]]:
    """One that notes what it is granted."""
    receive = Receive(frames.Receive(1, "orders", credit, False, None, None, None, None), cast(Any, None))
    granted: list[int] = []

    def grant(credit: int) -> None:
        granted.append(credit)
        receive.credit += credit

    receive.grant = grant  # type: ignore[method-assign]
    return receive, granted


def test_window_follows_the_speed_of_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    some = Window(10)
    receive, granted = opened(10)
    receive.credit = 6
    some.fill(receive, int)
    assert granted == []
    receive.credit = 5
    some.count(5)
    clock.now += 0.1
    some.fill(receive, int)
    assert (some.size, granted) == (50, [45])
    receive.credit = 20
    some.count(30)
    clock.now += 10
    some.fill(receive, int)
    assert (some.size, granted) == (3, [45])
    receive.credit = 0
    clock.now += 10
    some.fill(receive, int)
    assert (some.size, granted) == (3, [45, 3])


def test_nothing_more_comes_to_what_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    some = Window(10)
    receive, granted = opened(0)
    receive.over = True
    some.fill(receive, int)
    assert granted == []


def test_a_moment_is_bounded() -> None:
    assert (in_a_moment(1000), in_a_moment(1e9)) == (50, MOST)
