"""Clients and suites of Go modules, as test programs that are built once."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.kind import go
from tests.processes import Broker
from tools.cache import home
from tools.shell import Failed

MODULE = Path(__file__).with_name("sqs")
# Building takes a minute or two, once.
pytestmark = pytest.mark.timeout(900)

Run = Callable[..., str]


@pytest.fixture
def run(broker: Broker, tmp_path: Path) -> Run:
    """Runs tests of a package whose names match; answers what they print, or fails with that."""

    def run(package: str, names: str, *flags: str) -> str:
        try:
            program = go.build_tests(MODULE, package, home() / "suites")
        except Failed as reason:
            pytest.skip(f"it cannot be built: {reason}")
        machines = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own = {
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_ENDPOINT_URL": broker.http_url,
            "AWS_SECRET_ACCESS_KEY": "anything",
            "QUINTET_ENDPOINT": broker.http_url,
        }
        command = [str(program), "-test.v", "-test.short", "-test.timeout=240s", f"-test.run={names}", *flags]
        done = subprocess.run(
            command, cwd=tmp_path, env=machines | own, capture_output=True, text=True, errors="replace", check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
        return done.stdout

    return run


def test_the_sdk_and_what_keda_asks(run: Run) -> None:
    assert run(".", "^(TestMessages|TestErrors|TestQueues|TestWhatKEDA)").count("\n--- PASS") == 4


def test_watermills_suite(run: Run) -> None:
    """Of fifteen tests ten run; the others are of Pub/Subs with order, consumer groups or a command that restarts."""
    told = run(".", "^TestWatermill$")
    assert told.count("        --- PASS") >= 10


def test_the_suite_of_the_go_cloud_development_kit(run: Run) -> None:
    """It records what AWS answers: so it asks a real endpoint. Its other topics are of SNS."""
    told = run("gocloud.dev/pubsub/awssnssqs", "^TestConformanceSQSTopic$", "-record")
    assert told.count("    --- PASS") >= 13
