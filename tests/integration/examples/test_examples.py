"""Every folder of examples/: its manifests run, its check passes, with a key of its own as a pod has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.up.command import WITHIN, Up
from tests.processes import ROOT

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/check.py"))
KEYS = {"orders": "queue/orders", "many-brokers": "queue/parcels", "worker": "queue/tasks"}
"""By example: whose key its check uses."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_does_what_it_says(example: Path, tmp_path: Path) -> None:
    up = Up(tmp_path)
    up.start("-f", example, "--auth")
    key = up.ready["credentials"][KEYS[example.name]]
    binding = {
        "AWS_ENDPOINT_URL_SQS": up.http,
        "AWS_DEFAULT_REGION": up.ready["region"],
        "AWS_ACCESS_KEY_ID": key["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"],
    }
    done = subprocess.run(
        [sys.executable, example / "check.py"],
        env=os.environ | binding,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    up.end()
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_example_has_its_parts() -> None:
    for example in (path for path in (ROOT / "examples").iterdir() if path.is_dir()):
        assert (example / "README.md").exists(), example
        assert (example / "check.py").exists(), example
        assert list(example.glob("*.yaml")), example
