"""What the chart makes is looked at without a cluster, by helm alone."""

import os

import pytest

from tests.cluster.kind import programs
from tools.shell import Failed


@pytest.fixture(scope="session", autouse=True)
def helm_on_path() -> None:
    try:
        os.environ["PATH"] = programs.ensure("helm")
    except Failed as reason:
        pytest.skip(f"there is no helm: {reason}")
