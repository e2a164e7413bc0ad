"""How an object that is there differs from one that is wanted. Pure."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple


class Difference(NamedTuple):
    path: str
    """`spec.replicas`."""
    found: Any
    """None where there is nothing."""
    wanted: Any

    def __str__(self) -> str:
        found = "nothing" if self.found is None else self.found
        return f"{self.path}: {found} → {'nothing' if self.wanted is None else self.wanted}"


def differences(wanted: Any, found: Any, unknown: Collection[str] = (), path: str = "") -> Iterator[Difference]:
    """What is wanted and not so. What the API server adds is none; values among `unknown` are not compared."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name, value in wanted.items():
            yield from differences(value, found.get(name), unknown, f"{path}.{name}" if path else str(name))
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (value, held) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(value, held, unknown, f"{path}[{number}]")
    elif not (wanted == found or _is_empty(wanted, found) or _has(wanted, unknown)):
        yield Difference(path, found, wanted)


def removals(wanted: dict[str, Any], found: dict[str, Any], path: str) -> Iterator[Difference]:
    """What is there and not wanted any more."""
    for name, held in found.items():
        if name not in wanted:
            yield Difference(f"{path}.{name}", held, None)
        elif isinstance(held, dict) and isinstance(wanted[name], dict):
            yield from removals(wanted[name], held, f"{path}.{name}")


def _is_empty(wanted: Any, found: Any) -> bool:
    """The API server leaves out what is empty."""
    return found is None and wanted in ("", [], {}, None)


def _has(wanted: Any, unknown: Collection[str]) -> bool:
    return isinstance(wanted, str) and any(one in wanted for one in unknown)
