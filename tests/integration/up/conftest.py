"""`quintet up` in a directory of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.up.command import Up


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Not started yet."""
    made = Up(tmp_path)
    yield made
    made.end()
