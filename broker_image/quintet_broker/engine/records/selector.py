"""Selector: which records a receive asks for, an expression of CEL on what a message has."""

import json
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from quintet_api.cel import cel
from quintet_broker.engine.records import headers as names
from quintet_broker.engine.records.record import Record
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

OPERATORS = {
    *("!_", "_&&_", "_||_", "_?_:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"),
    *("@in", "_[_]", "-_", "_-_", "_*_", "_/_", "_%_"),
}
FUNCTIONS = ("size", "startsWith", "endsWith", "contains", "matches", "int", "uint", "double", "string")
"""And has(), which is none to CEL. All of them look at each byte of a value a few times, at most."""
MOST_STEPS = 48
"""Fields and elements of headers and body that are named: each may copy all of it."""
MOST_IN_PATTERNS = 64
"""Characters, quotes included: some stand for large classes, which are compiled at each evaluation."""

# Literals and comments, as CEL's grammar has them.
_QUOTED = re.compile(
    r'''\b[bB]?[rR][bB]?(?:"""[\s\S]*?"""|"[^"]*")|\b[bB]?[rR][bB]?(?:\'{3}[\s\S]*?\'{3}|'[^']*')'''
    r'''|"""(?:\\[\s\S]|[^\\])*?"""|"(?:\\.|[^"\\])*"|\'{3}(?:\\[\s\S]|[^\\])*?\'{3}|'(?:\\.|[^'\\])*'|//[^\n]*'''
)
_COUNTED = re.compile(r"\{|\\[xXuU0-7]")
"""A repetition that is counted, or what may be one, written by number."""
_PATTERN = re.compile(r"\bmatches\s*\(\s*'(\d+)'\s*\)")
_MATCHES = re.compile(r"\bmatches\b")
_LITERAL = r"\s*(?:[bB]?'\d+'|-?\s*\d[\w.]*|true|false|null)\s*"
_LITERALS = re.compile(rf"\[(?:{_LITERAL}(?:,{_LITERAL})*,?\s*)?\]")
_IN = re.compile(r"\bin\b(?!\s*\[)")
_STEP = re.compile(r"\b(?:headers|body)\b|\.\s*[A-Za-z_]|\[")


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
        _check_cost(text, self._program.functions())
        self._variables = [(name, VARIABLES[name]) for name in self._program.variables() if name in VARIABLES]
        self._is_costly = False

    def check(self) -> None:
        """Raises InvalidArgument where it proved to be costly."""
        if self._is_costly:
            raise InvalidArgument(f"The selector computes longer than {MOST_SECONDS} s on a message.")

    def matches(self, record: Record, deliveries: int) -> bool:
        """Whether it is true for a record that is to be delivered for the so manieth time; where it cannot be
        computed, it is not."""
        found, seconds = self._computed(record, deliveries)
        if seconds > MOST_SECONDS:
            # Perhaps the garbage of others was collected meanwhile.
            self._is_costly |= self._computed(record, deliveries)[1] > MOST_SECONDS
        return found

    def _computed(self, record: Record, deliveries: int) -> tuple[bool, float]:
        """Whether it is true, and how many seconds it took."""
        begin = time.thread_time()
        try:
            found = self._program.execute({name: value(record, deliveries) for name, value in self._variables})
        except Exception:
            found = False
        return found is True, time.thread_time() - begin


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


def _check_cost(text: str, called: list[str]) -> None:
    """Refuse what a short expression could compute on for long: what it calls, operators included, is known, and so
    runs once for each time that it is written. Raises InvalidArgument."""
    if not OPERATORS.union(FUNCTIONS).issuperset(called):
        raise InvalidArgument(
            "A selector has no +, no all(), exists(), exists_one(), filter() or map(), and of functions only has, "
            f"{', '.join(FUNCTIONS)}."
        )
    quoted: list[str] = []
    bare = _QUOTED.sub(lambda found: _put_aside(found[0], quoted), text)
    patterns = [quoted[int(number)] for number in _PATTERN.findall(bare)]
    if len(patterns) != len(_MATCHES.findall(bare)) or any(map(_COUNTED.search, patterns)):
        raise InvalidArgument("A pattern of matches() is a literal, without {n} or characters given by number.")
    if sum(map(len, patterns)) > MOST_IN_PATTERNS:
        raise InvalidArgument(f"The patterns of a selector have at most {MOST_IN_PATTERNS} characters.")
    if "{" in bare or "`" in bare or "[" in _LITERALS.sub("", bare) or _IN.search(bare):
        raise InvalidArgument("In a selector [] holds literals, `in` comes before [], and there is no {} or `.")
    if len(_STEP.findall(bare)) > MOST_STEPS:
        raise InvalidArgument(f"A selector names at most {MOST_STEPS} things, fields and elements.")


def _put_aside(found: str, quoted: list[str]) -> str:
    """What stands for a literal, or a comment."""
    if found.startswith("//"):
        return " "
    quoted.append(found)
    return f"'{len(quoted) - 1}'"
