"""A container runtime: runc, but no container asks for CAP_SYS_RESOURCE where this machine does not have it.

`docker run --privileged` asks for every capability, and runc fails for one that it cannot give.
"""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

NAME, NUMBER = "CAP_SYS_RESOURCE", 24


def main(arguments: list[str]) -> None:
    if not _has_it():
        _change(arguments)
    os.execvp("runc", ["runc", *arguments])


def _has_it() -> bool:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd:"))
    return bool(int(line.split()[1], 16) >> NUMBER & 1)


def _change(arguments: list[str]) -> None:
    """In the description of the container, or of the process that is started in one."""
    if "exec" in arguments:
        if process := _value(arguments, "--process", "-p"):
            _rewrite(Path(process), lambda described: described)
    elif "create" in arguments or "run" in arguments:
        bundle = _value(arguments, "--bundle", "-b") or "."
        _rewrite(Path(bundle, "config.json"), lambda described: described["process"])


def _value(arguments: list[str], *names: str) -> str:
    return next((value for name, value in pairwise(arguments) if name in names), "")


def _rewrite(file: Path, process_of: Any) -> None:
    described = json.loads(file.read_text())
    capabilities = process_of(described).get("capabilities") or {}
    for kind, held in capabilities.items():
        capabilities[kind] = [one for one in held or () if one != NAME]
    file.write_text(json.dumps(described))


if __name__ == "__main__":
    main(sys.argv[1:])
