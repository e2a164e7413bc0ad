"""What becomes of a message, by how its handler ended."""

import enum
import random

from msgspec import Struct


class Reject(Exception):
    """Raised by a handler: to try this message again makes no sense.

    It goes to the queue's dead-letter queue; where the queue has none it is dropped.
    """


class Retry(Exception):
    """Raised by a handler: try this message again, in so many seconds (0 - 43200) or as the backoff has it."""

    def __init__(self, after: float | None = None) -> None:
        if after is not None and not 0 <= after <= LONGEST:
            raise ValueError(f"after: 0 to {LONGEST:g} seconds are wanted, not {after}.")
        self.after = after
        super().__init__("The handler asked for another try.")


LONGEST = 43_200.0
"""Seconds for which a message can be hidden."""


class Backoff(Struct, frozen=True):
    """How long a message that failed stays hidden: twice as long each time.

    Between half of it and all of it, at random, so that what failed together does not come again together.
    """

    first: float = 1.0
    longest: float = 600.0
    """Seconds (0 - 43200)."""

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.longest <= LONGEST:
            raise ValueError(f"backoff: 0 <= first <= longest <= {LONGEST:g} seconds are wanted, not {self}.")

    def seconds(self, deliveries: int) -> float:
        """After so many deliveries."""
        # 2 ** 64 times anything but 0 is more than the longest.
        doubled = self.first * 2.0 ** min(deliveries - 1, 64)
        return min(doubled, self.longest) * random.uniform(0.5, 1)


class Policy(Struct, frozen=True, kw_only=True):
    """How a queue's messages are handled."""

    time_limit: float | None = None
    """Seconds for a handler; one that takes longer is cancelled and has failed."""
    attempts: int | None = None
    """A message that failed in so many deliveries is rejected; None leaves that to the queue's `maxReceives`."""
    backoff: Backoff = Backoff()

    def __post_init__(self) -> None:
        if self.time_limit is not None and not self.time_limit > 0:
            raise ValueError(f"time_limit: more than 0 seconds are wanted, not {self.time_limit}.")
        if self.attempts is not None and self.attempts < 1:
            raise ValueError(f"attempts: 1 or more are wanted, not {self.attempts}.")


class Verdict(enum.StrEnum):
    """How a delivery ended."""

    HANDLED = "handled"
    """Acknowledged."""
    RETRIED = "retried"
    """Hidden for the backoff."""
    REJECTED = "rejected"
    """Released without a pause, until the queue's `maxReceives` brings it to the dead-letter queue."""
    DROPPED = "dropped"
    """Acknowledged, though it failed: the queue has no dead-letter queue."""
    RELEASED = "released"
    """Released, since the worker ended before the handler did."""
    LOST = "lost"
    """Delivered to somebody else meanwhile."""


class Outcome(Struct, frozen=True):
    verdict: Verdict
    after: float = 0.0
    """Seconds until it is tried again."""

    @property
    def is_final(self) -> bool:
        """Whether the message does not come again."""
        return self.verdict in (Verdict.HANDLED, Verdict.DROPPED)


def judged(error: BaseException | None, deliveries: int, policy: Policy, max_receives: int | None) -> Outcome:
    """`error`: of the handler; `max_receives`: of a queue with a dead-letter queue."""
    if error is None:
        return Outcome(Verdict.HANDLED)
    given_up = isinstance(error, Reject) or (policy.attempts is not None and deliveries >= policy.attempts)
    if max_receives is None and given_up:
        return Outcome(Verdict.DROPPED)
    if max_receives is not None and (given_up or deliveries >= max_receives):
        return Outcome(Verdict.REJECTED)
    asked = error.after if isinstance(error, Retry) else None
    return Outcome(Verdict.RETRIED, policy.backoff.seconds(deliveries) if asked is None else asked)
