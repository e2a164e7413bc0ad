"""What is made once and kept outside the checkout, each under a name that tells what it was made of."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "quintet")
BIN = HOME / "bin"
"""Programs."""
KIND = HOME / "kind"
"""What nodes are made of."""


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
