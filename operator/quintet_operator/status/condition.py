"""What a condition says, and how it follows on what it said before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quintet_api.common import Condition

MESSAGE_MAX = 2_000
"""Characters that are kept of a message."""


@dataclass(frozen=True)
class Verdict:
    """What holds now."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    """One CamelCase word."""
    message: str
    """Sentences that say what to do, or what is waited for."""


def condition(type: str, verdict: Verdict, before: Condition | None, generation: int, now: datetime) -> Condition:  # noqa: A002
    """lastTransitionTime moves with status alone, observedGeneration each time."""
    # What the schema gives a new object was observed by nobody, and its time is none.
    stays = before and before.observed_generation is not None and before.status == verdict.status
    return Condition(
        type=type,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message[:MESSAGE_MAX],
        last_transition_time=before.last_transition_time if before and stays else now.replace(microsecond=0),
        observed_generation=generation,
    )
