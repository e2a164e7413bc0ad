"""Selector: which records a receive asks for, an expression of CEL on what a message has."""

import json
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from quintet_api.cel import cel
from quintet_broker.engine import headers as names
from quintet_broker.engine.record import Record
from quintet_broker.errors import InvalidArgument

MOST_CHARACTERS = 1024
MOST_BYTES = 16 * 1024
"""Of what is looked into: a longer value or key is null, longer headers are none."""
MOST_SECONDS = 0.1
"""A selector that computes longer on one record is refused from then on."""
MOST_TOLD = 500
"""Characters of what CEL says of an expression that is none."""
KEPT = 256
"""Compiled selectors."""
ALLOWED_SECONDS = 0.002
"""In a turn of the event loop."""

# Literals and comments, as CEL's grammar has them.
_QUOTED = re.compile(
    r'''\b[bB]?[rR][bB]?(?:"""[\s\S]*?"""|"[^"]*")|\b[bB]?[rR][bB]?(?:\'{3}[\s\S]*?\'{3}|'[^']*')'''
    r'''|"""(?:\\[\s\S]|[^\\])*?"""|"(?:\\.|[^"\\])*"|\'{3}(?:\\[\s\S]|[^\\])*?\'{3}|'(?:\\.|[^'\\])*'|//[^\n]*'''
)
_EACH = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|filter)\s*\(|[()]")
_MAP = re.compile(r"\.\s*map\s*\(")
_MATCHES = re.compile(r"\bmatches\b")
_SIMPLE_MATCHES = re.compile(r"\bmatches\s*\(\s*''\s*\)")


class Selector:
    """A compiled expression. What it costs is bounded by what it may say, and by how long values are."""

    def __init__(self, text: str) -> None:
        """Raises InvalidArgument."""
        if len(text) > MOST_CHARACTERS:
            raise InvalidArgument(f"A selector has at most {MOST_CHARACTERS} characters.")
        try:
            self._program = cel().compile(text)
        except ValueError as error:
            # Each line that follows one is the expression once more.
            told = " ".join(line for line in str(error).splitlines() if not line.startswith("|"))
            raise InvalidArgument(
                f"The selector is no CEL: {told[max(told.find('ERROR'), 0) :][:MOST_TOLD]}"
            ) from error
        _check_cost(text)
        self._variables = [(name, VARIABLES[name]) for name in self._program.variables() if name in VARIABLES]
        self._is_costly = False

    def check(self) -> None:
        """Raises InvalidArgument where it proved to be costly."""
        if self._is_costly:
            raise InvalidArgument(f"The selector computes longer than {MOST_SECONDS} s on a message.")

    def matches(self, record: Record, deliveries: int) -> bool:
        """Whether it is true for a record that is to be delivered for the so manieth time; where it cannot be
        computed, it is not."""
        begin = time.thread_time()
        try:
            found = self._program.execute({name: value(record, deliveries) for name, value in self._variables})
        except Exception:
            found = False
        self._is_costly |= time.thread_time() - begin > MOST_SECONDS
        return found is True


@lru_cache(KEPT)
def compiled(text: str) -> Selector:
    """The selector that a text is. Raises InvalidArgument."""
    return Selector(text)


class Allowance:
    """How long the event loop may stand still for selectors in one turn."""

    def __init__(self, seconds: float = ALLOWED_SECONDS) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """A turn begins."""
        self._end = time.perf_counter() + self._seconds

    @property
    def is_used_up(self) -> bool:
        return time.perf_counter() >= self._end


# What an expression may name


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _headers(record: Record, _: int) -> dict[str, str | bytes]:
    if sum(len(name) + len(value) for name, value in record.headers) > MOST_BYTES:
        return {}
    return {name: _text(value) for name, value in reversed(record.headers) if not name.startswith(names.OWN)}


def _key(record: Record, _: int) -> str | bytes | None:
    return None if record.key is None or len(record.key) > MOST_BYTES else _text(record.key)


def _value(record: Record, _: int) -> str | bytes | None:
    return _text(record.value) if len(record.value) <= MOST_BYTES else None


def _body(record: Record, _: int) -> Any:
    try:
        return json.loads(record.value) if len(record.value) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        return None


VARIABLES: dict[str, Callable[[Record, int], Any]] = {
    "headers": _headers,
    "key": _key,
    "value": _value,
    "body": _body,
    "priority": lambda record, _: names.priority(record),
    "deliveries": lambda _, deliveries: deliveries,
    "sentAt": lambda record, _: record.timestamp,
}


def _check_cost(text: str) -> None:
    """Refuse what a short expression could compute on for ever. Raises InvalidArgument."""
    bare = _QUOTED.sub(_emptied, text)
    if _MAP.search(bare):
        raise InvalidArgument("A selector has no map(): it could make long lists of short ones.")
    if len(_MATCHES.findall(bare)) != len(_SIMPLE_MATCHES.findall(bare)):
        raise InvalidArgument("A pattern of matches() is a literal, without counted repetitions.")
    depth = 0
    looks_at_each: int | None = None
    for mark in _EACH.findall(bare):
        if mark == ")":
            if looks_at_each == depth:
                looks_at_each = None
            depth -= 1
            continue
        depth += 1
        if mark != "(":
            if looks_at_each is not None:
                raise InvalidArgument("A selector looks at each element of a list, but not at others for each of them.")
            looks_at_each = depth


def _emptied(quoted: re.Match[str]) -> str:
    found = quoted[0]
    if found.startswith("//"):
        return " "
    return "'{'" if "{" in found else "''"
