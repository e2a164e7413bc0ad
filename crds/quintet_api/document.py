"""YAML files read as kubectl reads them, with the line of every field."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_FILE_BYTES = 4 * 2**20
MAX_VALUES = 200_000
"""Values of one document, those that aliases repeat included."""
MAX_DEPTH = 64

FieldPath = tuple[str | int, ...]
"""Where a field is: ("spec", "listeners", 0, "name")."""

_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS: dict[str, Callable[[yaml.constructor.SafeConstructor, Any], Any]] = {
    "tag:yaml.org,2002:str": lambda read, node: node.value,
    "tag:yaml.org,2002:timestamp": lambda read, node: node.value,
    "tag:yaml.org,2002:int": yaml.constructor.SafeConstructor.construct_yaml_int,
    "tag:yaml.org,2002:float": yaml.constructor.SafeConstructor.construct_yaml_float,
    "tag:yaml.org,2002:bool": yaml.constructor.SafeConstructor.construct_yaml_bool,
    "tag:yaml.org,2002:null": yaml.constructor.SafeConstructor.construct_yaml_null,
}


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong, and where."""

    file: str
    line: int
    """0: the file as a whole."""
    field: str
    """As in `spec.listeners[0].name`; empty: the document as a whole."""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.field, self.message) if part)


@dataclass(frozen=True)
class Document:
    """One document of a file: plain JSON values."""

    file: str
    line: int
    value: Any
    lines: dict[FieldPath, int]
    """Line of each field that the file has."""

    def problem(self, path: FieldPath, message: str) -> Problem:
        """At the field, or at the nearest one above it that the file has."""
        known = path
        while known not in self.lines:
            known = known[:-1]
        return Problem(self.file, self.lines[known], field_name(path), message)


def field_name(path: FieldPath) -> str:
    """`spec.listeners[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def read(path: Path) -> tuple[list[Document], list[Problem]]:
    """All documents of a file, empty ones left out. What cannot be read is a problem and no document."""
    documents: list[Document] = []
    problems: list[Problem] = []
    file = str(path)
    try:
        for node in _nodes(path):
            reader = _Reader(file)
            value = reader.value(node, ())
            problems += reader.problems
            if value is not None and not reader.problems:
                documents.append(Document(file, node.start_mark.line + 1, value, reader.lines))
    except _Unreadable as error:
        problems.append(Problem(file, error.line, "", str(error)))
    return documents, problems


class _Unreadable(Exception):
    """Nothing can be read from `line` on."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def _nodes(path: Path) -> Iterator[yaml.Node]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _Unreadable(error.strerror or str(error)) from error
    if len(content) > MAX_FILE_BYTES:
        raise _Unreadable(f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        loader = _LOADER(content)
        while loader.check_node():
            yield loader.get_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Unreadable(f"is not YAML: {error.problem}", mark.line + 1 if mark else 0) from error
    except yaml.reader.ReaderError as error:
        line = content.count(b"\n", 0, error.position) + 1
        raise _Unreadable(f"is not YAML: {error.reason}", line) from error


class _Reader:
    """Turns the nodes of one document into values."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[FieldPath, int] = {}
        self.problems: list[Problem] = []
        self.left = MAX_VALUES

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        line = _line(node)
        self.lines.setdefault(path, line)
        self.left -= 1
        if self.left < 0 or len(path) > MAX_DEPTH:
            raise _Unreadable("has too many values, or too deep ones", line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, held in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                merged += held.value if isinstance(held, yaml.SequenceNode) else [held]
            elif not isinstance(key, yaml.ScalarNode):
                self._refuse(key, path, "a field's name must be text")
            elif key.value in made:
                first = self.lines[(*path, key.value)]
                self._refuse(key, (*path, key.value), f"is there twice, first on line {first}")
            else:
                self.lines.setdefault((*path, key.value), _line(key))
                made[key.value] = self.value(held, (*path, key.value))
        for source in merged:
            if isinstance(found := self.value(source, path), dict):
                made = found | made
            else:
                self._refuse(source, path, "<< must name a mapping")
        return made

    def _scalar(self, node: yaml.Node, path: FieldPath) -> Any:
        try:
            return _SCALARS[node.tag](_CONSTRUCTOR, node)
        except KeyError:
            self._refuse(node, path, f"has the tag {node.tag}, which manifests do not know")
        except ValueError:
            self._refuse(node, path, "is not a number that can be read")
        return None

    def _refuse(self, node: yaml.Node, path: FieldPath, message: str) -> None:
        self.problems.append(Problem(self.file, _line(node), field_name(path), message))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
