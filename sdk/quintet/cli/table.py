"""Objects as kubectl prints them."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from quintet.cli.layout import aligned, duration
from quintet.embedded.objects import SOURCE, Object
from quintet_api.definition import Column, Definition

NONE = "<none>"
_CONDITION = re.compile(r"""conditions\[\?\(@\.type=="(\w+)"\)\]""")
_SOURCE = Column("Source", "", priority=1)


def table(definition: Definition, objects: Sequence[Object], *, wide: bool, prefix: str = "") -> str:
    """Lines with a head; `wide` shows all columns; `prefix` stands before each name."""
    columns = [column for column in (*definition.all_columns, _SOURCE) if wide or not column.priority]
    head = ["NAME", *(column.name.upper().replace(" ", "-") for column in columns)]
    rows = [[prefix + one["metadata"]["name"], *(cell(one, column) for column in columns)] for one in objects]
    return aligned([head, *rows])


def cell(one: Object, column: Column) -> str:
    """What a column shows of an object."""
    if column is _SOURCE:
        return str(one["metadata"]["annotations"][SOURCE])
    value = at(one, column.path)
    if value is None:
        return NONE
    return age(value) if column.type == "date" else shown(value)


def at(value: Any, path: str) -> Any:
    """What stands at a printer column's JSONPath; None where nothing does."""
    held = _CONDITION.sub(r"conditions.\1", path).removeprefix(".").split(".")
    for part in held:
        if isinstance(value, list):
            value = {condition["type"]: condition for condition in value}
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def age(created: str, now: datetime | None = None) -> str:
    """Since `2026-11-24T18:00:00Z`, in the largest whole unit: `5s`, `3m`, `2h`, `4d`."""
    since = (now or datetime.now(UTC)) - datetime.fromisoformat(created)
    return duration(int(since.total_seconds()))


def described(value: Object, indent: int = 0) -> Iterable[str]:
    """Every field on a line of its own: `Visibility Timeout:  30s`; no empty sections."""
    value = {name: held for name, held in value.items() if held not in ({}, [])}
    labels = {name: re.sub("([a-z])([A-Z])", r"\1 \2", name[:1].upper() + name[1:]) + ":" for name in value}
    width = max(map(len, labels.values()), default=0)
    for name, held in value.items():
        if isinstance(held, dict | list):
            yield f"{' ' * indent}{labels[name]}"
            yield from described(held, indent + 2) if isinstance(held, dict) else _listed(held, indent + 2)
        else:
            yield f"{' ' * indent}{labels[name].ljust(width)}  {shown(held)}"


def _listed(items: Sequence[Any], indent: int) -> Iterable[str]:
    """Each after a dash."""
    for item in items:
        first, *others = described(item) if isinstance(item, dict) else [shown(item)]
        yield f"{' ' * indent}- {first}"
        yield from (f"{' ' * indent}  {line}" for line in others)


def shown(value: Any) -> str:
    """A single value, as a manifest has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
