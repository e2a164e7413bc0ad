"""The benchmarks still run, each for a moment. Their figures are nobody's gate."""

import subprocess
import sys

import pytest

from tests.processes import ROOT

WITHIN = 300.0
"""Seconds."""

pytestmark = pytest.mark.timeout(WITHIN + 30)


@pytest.mark.parametrize(
    "name",
    [
        "bench",
        "bench.connections",
        "bench.curves",
        "bench.idle",
        "bench.in_flight",
        "bench.recovery",
        "bench.soak",
    ],
)
def test_it_runs(name: str) -> None:
    command = [sys.executable, "-m", f"tests.{name}", "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
