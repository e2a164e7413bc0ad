"""Manifests read and validated against the generated CRDs, with the file, line and field of each problem."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from quintet_api import crd, names
from quintet_api.document import Document, Problem, read

__all__ = ["Loaded", "Manifest", "Problem", "load"]

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Manifest:
    """A sound manifest."""

    file: str
    line: int
    kind: str
    namespace: str
    name: str
    body: dict[str, Any]
    """With the CRD's defaults, without status."""
    document: Document = field(repr=False, compare=False)
    """As it was read, with the line of each field."""


@dataclass(frozen=True)
class Loaded:
    """What a set of files holds: the manifests that are sound and the problems of the others."""

    manifests: list[Manifest]
    problems: list[Problem]


def load(paths: Iterable[Path | str], old: Iterable[Manifest] = ()) -> Loaded:
    """Read files, and directories' .yaml, .yml and .json files, and validate every document in them.

    A manifest that `old` also has is validated as a change of it too: what is immutable must agree.
    """
    loader = _Loader(old)
    for path in paths:
        for file in _files(Path(path)):
            loader.add(file)
    return Loaded(loader.manifests, loader.problems)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))


Key = tuple[str, str, str]
"""Kind, namespace and name: what sets an object apart."""


class _Loader:
    def __init__(self, old: Iterable[Manifest]) -> None:
        self.manifests: list[Manifest] = []
        self.problems: list[Problem] = []
        self.old = {(m.kind, m.namespace, m.name): m.body for m in old}
        self.places: dict[Key, str] = {}

    def add(self, file: Path) -> None:
        documents, problems = read(file)
        for document in documents:
            problems += self._validate(document)
        self.problems += sorted(problems)

    def _validate(self, document: Document) -> list[Problem]:
        """What is wrong with the document; a sound one joins the manifests."""
        problems = list(_type_problems(document))
        if problems:
            return problems
        kind, metadata = document.value["kind"], document.value.get("metadata")
        key = _key(kind, metadata if isinstance(metadata, dict) else {})
        body, faults = crd.kinds()[kind].check(document.value, self.old.get(key))
        problems = [document.problem(fault.path, fault.message) for fault in faults]
        place = f"{document.file}:{document.line}"
        if key[2] and (first := self.places.setdefault(key, place)) != place:
            problems.append(document.problem(("metadata", "name"), f"{kind} {key[2]} is declared in {first} already"))
        if not problems:
            self.manifests.append(Manifest(document.file, document.line, *key, body, document))
        return problems


def _type_problems(document: Document) -> Iterator[Problem]:
    """What keeps a document from being one of ours at all."""
    if not isinstance(document.value, dict):
        yield document.problem((), "must be a mapping with apiVersion, kind, metadata and spec")
        return
    for name, known in (("apiVersion", [names.API_VERSION]), ("kind", list(crd.kinds()))):
        given = document.value.get(name)
        if given is None:
            yield document.problem((name,), f"is required: {' or '.join(known)}")
        elif given not in known:
            near = get_close_matches(str(given), known, n=1)
            hint = f": did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
            yield document.problem((name,), f"{given!r} is unknown{hint}")


def _key(kind: str, metadata: dict[str, Any]) -> Key:
    return kind, str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")
