"""Prints what parts of pyproject.toml ask for, a requirement a line: `requirements.py PART...`.

A part is `build-system`, `dependencies`, or the name of an extra; what an extra takes over from another is there too.
So the image installs what others wrote before it needs the source.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OTHER_EXTRA = re.compile(r"quintet\[(\w+)]$")


def required(pyproject: dict[str, Any], part: str) -> Iterator[str]:
    """Raises KeyError where there is no such part."""
    project = pyproject["project"]
    known = {"build-system": pyproject["build-system"]["requires"], "dependencies": project["dependencies"]}
    for requirement in (known | project["optional-dependencies"])[part]:
        if other := OTHER_EXTRA.match(requirement):
            yield from required(pyproject, other[1])
        else:
            yield requirement


if __name__ == "__main__":
    found = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    print(*dict.fromkeys(each for part in sys.argv[1:] for each in required(found, part)), sep="\n")
