"""Durations and quantities: text to number and back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_api import common


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("30s", 30), ("1m30s", 90), ("96h", 345_600), ("100ms", 0.1), ("1h1ms", 3600.001)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert common.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "1s1m", "1s1s", "-1s", "1.5s", "1 s", "1d", "1s\n", 30, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration such as 30s"):
        common.parse_duration(text)


@given(st.integers(0, 10**12))
def test_a_duration_is_written_as_it_is_read(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert common.parse_duration(common.format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1Ki", 1024), ("1.5Ki", 1536), ("1k", 1000), ("8Gi", 8 * 2**30), ("0.001Ki", 2), (7, 7)],
)
def test_a_quantity_is_read(text: object, count: int) -> None:
    assert common.parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "Mi", "1 Mi", "1mi", "-1", "1e3", "1.2345Ki", True, 1.5, None])
def test_what_is_no_quantity_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a number of bytes"):
        common.parse_bytes(text)


@given(st.integers(0, 2**50))
def test_a_quantity_is_written_as_it_is_read(count: int) -> None:
    assert common.parse_bytes(common.format_bytes(count)) == count


@given(st.integers(0, 10**6))
def test_cpus_are_written_as_they_are_read(millicores: int) -> None:
    assert common.parse_cpu(common.format_cpu(millicores)) == millicores


@pytest.mark.parametrize(
    ("text", "millicores"), [("100m", 100), ("0.5", 500), ("2", 2000), (2, 2000), ("0.0001", None)]
)
def test_cpus_are_read(text: object, millicores: int | None) -> None:
    if millicores is None:
        with pytest.raises(ValueError, match="must be a number of CPUs"):
            common.parse_cpu(text)
    else:
        assert common.parse_cpu(text) == millicores
