"""Permissions: the rules of a queue, by which other keys than its own may use it, or its own may not."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Verb = Literal[
    "send",
    "receive",
    "acknowledge",
    "extend",
    "purge",
    "describe",
    "locate",
    "list_sources",
    "redrive",
    "manage",
]
"""What a key may do with a queue. extend covers release; describe tells spec and counts, locate the address; manage
covers create, change and delete."""
GRANTABLE: frozenset[Verb] = frozenset(
    ["send", "receive", "acknowledge", "extend", "purge", "describe", "locate", "list_sources"]
)
"""What rules speak of."""


class Rule(Struct, frozen=True):
    """Allows, or forbids, which is stronger."""

    allows: bool
    keys: frozenset[str] | None
    """Holders of keys, as `credentials.holder` names them; None: all of them."""
    verbs: frozenset[Verb]


def judge(rules: Iterable[Rule], holder: str, verb: Verb) -> bool | None:
    """Whether the rules allow that; None where none speaks of it."""
    found = [rule.allows for rule in rules if verb in rule.verbs and (rule.keys is None or holder in rule.keys)]
    return all(found) if found else None
