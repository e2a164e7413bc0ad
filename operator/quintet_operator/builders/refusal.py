"""What the operator does not build, and what it tells instead."""

from collections.abc import Iterator
from dataclasses import dataclass

from quintet_api import names
from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.listener_service import outer
from quintet_operator.builders.metadata import child_name

TAKEN_PARTS = ("pods", "redis")
"""Services of the pool's own."""


@dataclass(frozen=True)
class Refusal:
    """Why nothing is changed."""

    reason: str
    """One CamelCase word."""
    message: str
    """What to do about it."""


def refusal(pool: BrokerPool) -> Refusal | None:
    """The first thing in the pool's spec that cannot be."""
    return next((found for listener in outer(pool) for found in _refusals(pool, listener.name)), None)


def _refusals(pool: BrokerPool, listener: str) -> Iterator[Refusal]:
    name = child_name(pool.kind, pool.metadata.name, listener)
    if len(name) > names.NAME_MAX:
        message = f"The listener {listener} needs a Service {name}, which is longer than {names.NAME_MAX} characters:"
        yield Refusal(names.INVALID_SPEC, f"{message} give it a shorter name.")
    if listener in TAKEN_PARTS:
        message = f"The listener {listener} needs a Service {name}, which the pool has already:"
        yield Refusal(names.INVALID_SPEC, f"{message} give it another name.")
