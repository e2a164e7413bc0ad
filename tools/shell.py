"""Other programs, and what people are told meanwhile."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

LAST_LINES = 40


class Failed(Exception):
    """What was to be done cannot be done here; the message is what a program said in the end, or what is missing."""


def say(part: str, text: str) -> None:
    """What takes a while."""
    print(f"{part}: {text} ...", flush=True)


def run(
    *command: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str = "",
    within: float | None = None,
) -> str:
    """Its output; `text` is its input, `within` a limit in seconds. Raises Failed."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)}\nno end within {within:.0f} s") from None
    if done.returncode:
        said = (done.stdout + done.stderr).splitlines()[-LAST_LINES:]
        raise Failed("\n".join([f"{' '.join(command)} ended with {done.returncode}:", *said]))
    return done.stdout


def succeeds(*command: str, environment: Mapping[str, str] | None = None, within: float = 60.0) -> bool:
    try:
        run(*command, environment=environment, within=within)
    except Failed:
        return False
    return True
