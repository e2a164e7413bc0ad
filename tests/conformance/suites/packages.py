"""Packages of PyPI as they were published, at one version each, kept outside the checkout."""

import sys
import tarfile
from functools import cache
from pathlib import Path

from tools.cache import beside, digest, home
from tools.shell import run, say

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WITH_TESTS = ("celery", "kombu", "moto")
"""Those whose source distribution has tests that are run."""
WITHIN = 400.0
"""Seconds for what comes from PyPI."""


@cache
def installed() -> Path:
    """A folder with `python`, a virtual environment that has the requirements, and `sources`. Raises Failed."""
    lines = REQUIREMENTS.read_text().splitlines()
    made = home() / "suites" / f"python-{digest([sys.version, *lines, *WITH_TESTS])}"
    if not made.exists():
        say("suites", "fetching the clients and suites of others (once)")
        with beside(made) as work:
            _install(Path(work, "made"), [line for line in lines if line.startswith(WITH_TESTS)])
            Path(work, "made").replace(made)
    return made


def python() -> Path:
    """The interpreter that has them. Raises Failed."""
    return installed() / "python" / "bin" / "python"


def source(name: str) -> Path:
    """The source distribution of a package, unpacked. Raises Failed."""
    return next((installed() / "sources").glob(f"{name}-*"))


def _install(folder: Path, with_tests: list[str]) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", str(folder / "python"))
    _pip(folder, "install", "--requirement", str(REQUIREMENTS))
    archives = folder / "archives"
    # What it is built with is installed already, so that nothing is fetched for it again.
    options = ("--no-deps", "--no-binary=:all:", "--no-build-isolation", "--dest", str(archives))
    _pip(folder, "download", *options, *with_tests)
    for archive in archives.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(folder / "sources", filter="data")
        archive.unlink()


def _pip(folder: Path, *words: str) -> None:
    interpreter = str(folder / "python" / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    run(sys.executable, "-m", "pip", "--python", interpreter, *words, *quiet, within=WITHIN)
