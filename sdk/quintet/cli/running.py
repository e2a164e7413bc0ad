"""What all commands share: the state directory, and how their failures are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from quintet.embedded.errors import CannotRun, Refused
from quintet.embedded.state import default_directory

EXTRA_MODULES = {"cel", "jsonschema", "psutil", "pydantic", "pydantic_core", "redis", "uvloop", "watchfiles", "yaml"}
"""What the client alone does not need."""

state_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_directory,
    envvar="QUINTET_STATE_DIR",
    show_default="$XDG_STATE_HOME/quintet, else ~/.local/state/quintet",
    help="Where `quintet up` keeps its data, and where other commands find it.",
)


@contextmanager
def told_failures() -> Iterator[None]:
    """Failures that a user can mend end the command with their message and exit code 1."""
    try:
        yield
    except (CannotRun, Refused) as error:
        click.echo(f"{error}", err=True)
        raise SystemExit(1) from error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_MODULES:
            raise
        click.echo(f"this needs more than the client ({error.name}): pip install 'quintet[up]'", err=True)
        raise SystemExit(1) from error
