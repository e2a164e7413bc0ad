"""What becomes of a message whose handler ended."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.worker.outcome import LONGEST, Backoff, Policy, Reject, Retry, Verdict, judged

SECONDS = st.floats(0, LONGEST)


@given(SECONDS, SECONDS, st.integers(1, 10_000))
def test_a_backoff_doubles_up_to_its_longest(one: float, other: float, deliveries: int) -> None:
    first, longest = sorted((one, other))
    doubled = min(first * 2.0 ** min(deliveries - 1, 64), longest)
    assert doubled / 2 <= Backoff(first, longest).seconds(deliveries) <= doubled


@pytest.mark.parametrize(("first", "longest"), [(-1, 1), (2, 1), (0, LONGEST + 1), (float("nan"), 1)])
def test_a_backoff_that_is_none_is_refused(first: float, longest: float) -> None:
    with pytest.raises(ValueError, match="backoff"):
        Backoff(first, longest)


@pytest.mark.parametrize("after", [-1, LONGEST + 1, float("nan")])
def test_a_retry_after_no_seconds_is_refused(after: float) -> None:
    with pytest.raises(ValueError, match="after"):
        Retry(after)


@pytest.mark.parametrize("bad", [{"time_limit": 0}, {"time_limit": -1}, {"attempts": 0}])
def test_a_policy_that_is_none_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are wanted"):
        Policy(**bad)


POLICY = Policy(attempts=5, backoff=Backoff(8, 8))


@pytest.mark.parametrize(
    ("error", "deliveries", "max_receives", "verdict"),
    [
        (None, 1, None, Verdict.HANDLED),
        (None, 99, 3, Verdict.HANDLED),
        (KeyError("x"), 1, None, Verdict.RETRIED),
        (KeyError("x"), 2, 3, Verdict.RETRIED),
        (KeyError("x"), 3, 3, Verdict.REJECTED),
        (KeyError("x"), 5, 100, Verdict.REJECTED),
        (KeyError("x"), 5, None, Verdict.DROPPED),
        (Reject(), 1, 3, Verdict.REJECTED),
        (Reject(), 1, None, Verdict.DROPPED),
        (Retry(), 1, None, Verdict.RETRIED),
        (Retry(7), 1, 3, Verdict.RETRIED),
        (Retry(7), 3, 3, Verdict.REJECTED),
        (TimeoutError(), 1, None, Verdict.RETRIED),
    ],
)
def test_how_a_handler_ended_says_what_becomes_of_its_message(
    error: BaseException | None, deliveries: int, max_receives: int | None, verdict: Verdict
) -> None:
    outcome = judged(error, deliveries, POLICY, max_receives)
    assert outcome.verdict == verdict
    if verdict == Verdict.RETRIED:
        asked = isinstance(error, Retry) and error.after
        assert outcome.after == asked if asked else 4 <= outcome.after <= 8
