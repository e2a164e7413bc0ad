"""Client libraries of other systems, which only benchmarks need."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from tools.shell import Failed


def library(name: str) -> Any:
    """The module. Raises Failed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise Failed(f"{name} is not installed: tools/setup bench") from error


async def together(count: int, call: Callable[[], Awaitable[None]]) -> None:
    """So many calls, which are under way at a time."""
    if count == 1:
        await call()
    else:
        await asyncio.gather(*(call() for _ in range(count)))
