"""Other programs, and what people are told meanwhile."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.kind.errors import Unavailable

LAST_LINES = 30


def say(text: str) -> None:
    print(f"cluster: {text} ...", flush=True)


def run(
    *command: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
    within: float | None = None,
) -> str:
    """Its output. Raises Unavailable with the end of what it said."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=text or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within,
            check=False,
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(command)}: no end within {within:.0f} s") from None
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()[-LAST_LINES:]
        raise Unavailable("\n".join([f"{' '.join(command)} ended with {done.returncode}:", *lines]))
    return done.stdout


def succeeds(*command: str, environment: Mapping[str, str] | None = None, within: float = 60.0) -> bool:
    try:
        run(*command, environment=environment, within=within)
    except Unavailable:
        return False
    return True
