"""How a condition follows on what it said before."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quintet_api.common import PENDING, Condition
from quintet_operator.status.condition import MESSAGE_MAX, Verdict, condition

START = datetime(2026, 1, 1, tzinfo=UTC)
VERDICTS = st.builds(
    Verdict, st.sampled_from(["True", "False", "Unknown"]), st.sampled_from(["A", "B"]), st.sampled_from(["", "a"])
)


@given(st.lists(VERDICTS, min_size=1))
def test_its_time_is_that_of_the_last_change_of_status(verdicts: list[Verdict]) -> None:
    last: Condition | None = None
    changed, status = START, ""
    for number, verdict in enumerate(verdicts):
        now = START + timedelta(seconds=number)
        changed, status = (changed if verdict.status == status else now), verdict.status
        last = condition("Ready", verdict, last, number, now)
        assert last.last_transition_time == changed
        assert (last.status, last.reason, last.message) == (verdict.status, verdict.reason, verdict.message)
        assert last.observed_generation == number


def test_what_the_schema_says_of_a_new_object_has_no_time() -> None:
    assert PENDING.status == "Unknown"
    assert condition("Ready", Verdict("Unknown", "A", ""), PENDING, 1, START).last_transition_time == START


def test_times_are_whole_seconds_as_kubernetes_keeps_them() -> None:
    now = START + timedelta(milliseconds=1500)
    assert condition("Ready", Verdict("True", "A", ""), None, 1, now).last_transition_time == START + timedelta(
        seconds=1
    )


def test_a_long_message_is_cut() -> None:
    made = condition("Ready", Verdict("True", "A", "x" * 100_000), None, 1, START)
    assert made.message == "x" * MESSAGE_MAX
