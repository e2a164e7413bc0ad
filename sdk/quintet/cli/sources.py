"""`-f FILE_OR_DIR`: manifests that a command line names."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

Files = Callable[[Callable[..., None]], Callable[..., None]]


def files_option(*, required: bool) -> Files:
    return click.option(
        "-f",
        "--filename",
        "sources",
        multiple=True,
        required=required,
        metavar="FILE_OR_DIR",
        help="Manifests: a file, a directory, or - for standard input. Can be given several times.",
    )


@contextmanager
def absolute(sources: Sequence[str]) -> Iterator[dict[str, str]]:
    """Absolute paths of the sources, for whoever reads them, with the names that the user gave them."""
    with tempfile.TemporaryDirectory(prefix="quintet-") as directory:
        found = {}
        for source in sources:
            if source == "-":
                path = Path(directory, "stdin.yaml")
                path.write_bytes(sys.stdin.buffer.read())
                found[str(path)] = "<stdin>"
            else:
                found[str(Path(source).absolute())] = source
        yield found


def as_given(problem: str, paths: dict[str, str]) -> str:
    """With the names that the user gave."""
    for absolute, given in paths.items():
        problem = problem.replace(absolute, given)
    return problem
