import pytest

from quintet.cli.layout import aligned, duration


def test_cells_stand_below_each_other() -> None:
    assert aligned([["A", "B"], ["long", "x"]]) == "A      B\nlong   x"
    assert aligned([["NAME", "N"], ["long", "1000"]], numbers=True) == "NAME     N\nlong  1000"


@pytest.mark.parametrize(("value", "told"), [(-1, "0s"), (0.4, "0s"), (59.9, "59s"), (60, "1m"), (90_000, "1d")])
def test_a_duration_is_its_largest_whole_unit(value: float, told: str) -> None:
    assert duration(value) == told
