"""The benchmark still runs: one tiny round of every contender. Its figures are nobody's gate."""

import subprocess
import sys

from tests.processes import ROOT

WITHIN = 60.0
"""Seconds."""


def test_every_contender_runs() -> None:
    command = [sys.executable, "-m", "tests.bench", "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
