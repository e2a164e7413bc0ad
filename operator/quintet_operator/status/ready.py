"""Ready of every kind: the sum of the other conditions."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from quintet_api import names
from quintet_api.common import Condition
from quintet_operator.status.condition import Verdict, condition
from quintet_operator.status.facts import PoolFacts, QueueFacts
from quintet_operator.status.name_taken import name_taken

F = TypeVar("F", PoolFacts, QueueFacts)

BESIDE = (names.STORAGE_DURABLE,)
"""What Ready does not sum up: messages go through all the same."""
DISABLED = Verdict(
    "Unknown",
    names.RECONCILE_DISABLED,
    f"The operator changes nothing here: remove the annotation {names.RECONCILE_ANNOTATION} to start it again.",
)


def ready(facts: PoolFacts | QueueFacts, parts: Iterable[Verdict]) -> Verdict:
    """True where all parts are. Else what comes first, since what follows may be its effect: what the user has
    to change, then the parts in their order."""
    if facts.refusal:
        return Verdict("False", facts.refusal.reason, facts.refusal.message)
    if facts.name_taken:
        return name_taken(facts.name_taken)
    first = next((part for part in parts if part.status != "True"), None)
    return first or Verdict("True", names.AVAILABLE, "Messages go through.")


def summed(
    parts: Mapping[str, Callable[[F], Verdict]], facts: F, old: Iterable[Condition], generation: int, now: datetime
) -> list[Condition]:
    """Ready and its parts, by their types. Where the operator is stopped, the parts stay as they were.

    `old`: the conditions that the object has; `generation`: the one that was looked at.
    """
    known = {before.type: before for before in old}
    if facts.disabled:
        known[names.READY] = condition(names.READY, DISABLED, known.get(names.READY), generation, now)
        return list(known.values())
    judged = {name: part(facts) for name, part in parts.items()}
    asked = [verdict for name, verdict in judged.items() if name not in BESIDE]
    verdicts = {names.READY: ready(facts, asked), **judged}
    return [condition(name, verdict, known.get(name), generation, now) for name, verdict in verdicts.items()]
