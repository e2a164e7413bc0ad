import pytest

from quintet import wire


def test_durations() -> None:
    assert wire.seconds("1h2m3s4ms") == pytest.approx(3723.004)
