"""What is made once and kept outside the checkout, each under a name that tells what it was made of."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def home() -> Path:
    """Where it is kept. It outlives a checkout."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "quintet")


def beside(made: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder to make it in, on the same file system: so that it can be there whole or not at all."""
    made.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=made.parent, prefix="making-")


def digest(parts: Iterable[str | bytes]) -> str:
    """A short hash of texts and contents, in their order."""
    made_of = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        made_of.update(len(content).to_bytes(8, "big") + content)
    return made_of.hexdigest()[:12]


def contents(folder: Path) -> list[str | bytes]:
    """Names and contents of all files of a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [part for path in files for part in (str(path.relative_to(folder)), path.read_bytes())]
