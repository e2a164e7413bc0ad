"""How a command runs, and how it ends when it fails."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from quintet.embedded.errors import CannotRun, Refused
from quintet.errors import QuintetError

Result = TypeVar("Result")

EXTRA_MODULES = {"cel", "jsonschema", "pydantic", "pydantic_core", "redis", "uvloop", "watchfiles", "yaml"}
"""What the client alone does not need."""
INSTALL = "pip install '.[up]' in a clone of the repository"


@contextmanager
def told_failures() -> Iterator[None]:
    """Failures that a user can mend end the command with their message and exit code 1."""
    try:
        yield
    except (CannotRun, Refused, QuintetError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_MODULES:
            raise
        click.echo(f"this needs more than the client ({error.name}): {INSTALL}", err=True)
        raise SystemExit(1) from error


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """In an event loop of its own, with failures told. SIGTERM ends it like Ctrl-C: what it began is cleaned up."""

    async def until_told() -> Result:
        task = asyncio.current_task()
        assert task
        for number in signal.SIGTERM, signal.SIGHUP:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    with told_failures():
        try:
            return asyncio.run(until_told())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
