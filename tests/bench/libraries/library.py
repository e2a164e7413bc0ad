"""Client libraries of other systems, which only benchmarks need."""

from importlib import import_module
from typing import Any

from tools.shell import Failed


def library(name: str) -> Any:
    """The module. Raises Failed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise Failed(f"{name} is not installed: tools/setup bench") from error
