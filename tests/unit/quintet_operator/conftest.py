"""What the tests of the operator share."""

import pytest

from tests.unit.quintet_operator.room import Room


@pytest.fixture
async def room() -> Room:
    """With a pool that serves."""
    made = Room()
    await made.ready_pool()
    return made
