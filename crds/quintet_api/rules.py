"""CEL rules, evaluated as the API server evaluates them: by the Rust library, with Kubernetes' quantity()."""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from quintet_api import common
from quintet_api.cel import cel

UNITS = {unit: Decimal(size) for unit, size in common.BYTES.items()} | {"m": Decimal("0.001")}


class RuleError(Exception):
    """The rule cannot be evaluated on this value."""


def holds(rule: str, value: Any, old: Any = None) -> bool:
    """Whether the rule holds with `self` and `oldSelf`. Raises RuleError, ValueError where it is no CEL."""
    program = compiled(rule)
    try:
        return bool(program.execute(cel().Context({"self": value, "oldSelf": old}, FUNCTIONS)))
    except Exception as error:
        raise RuleError(str(error)) from error


@cache
def compiled(rule: str) -> Any:
    """Raises ValueError where it is no CEL."""
    return cel().compile(rule)


def _quantity(text: str) -> str:
    """A quantity as a plain decimal number, `1Mi` as `1048576`."""
    match = re.fullmatch("([0-9.]+)([A-Za-z]*)", text)
    if match is None or match[2] not in UNITS:
        raise ValueError(f"not a quantity: {text}")
    return str(Decimal(match[1]) * UNITS[match[2]])


def _compare_to(one: str, other: str) -> int:
    """-1, 0 or 1."""
    return int(Decimal(one).compare(Decimal(other)))


FUNCTIONS: dict[str, Callable[..., Any]] = {"quantity": _quantity, "compareTo": _compare_to}
"""Kubernetes' own functions, as far as rules use them; a method's object is its first argument."""
