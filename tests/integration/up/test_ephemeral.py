"""`quintet up --ephemeral`: nothing is kept, and nothing is left behind."""

import json
import os
import re
import signal
from pathlib import Path

import boto3
import pytest

from tests.integration.up.command import Up, queue, until


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where it may put files meanwhile."""
    made = tmp_path / "tmp"
    made.mkdir()
    return made


def test_nothing_is_kept(up: Up, tmp_path: Path, temporary: Path) -> None:
    manifest, ready_file = tmp_path / "orders.yaml", tmp_path / "ready.json"
    manifest.write_text(queue("orders"))
    arguments = ("--ephemeral", "--ready-file", ready_file, "-f", manifest)
    for number in signal.SIGTERM, signal.SIGINT:
        up.start(*arguments, TMPDIR=str(temporary))
        endpoint = json.loads(ready_file.read_text())["endpoints"]["http"]
        sqs = boto3.client(
            "sqs",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )
        [url] = sqs.list_queues()["QueueUrls"]
        assert sqs.receive_message(QueueUrl=url).get("Messages", []) == []
        sqs.send_message(QueueUrl=url, MessageBody="x")
        sqs.create_queue(QueueName="made-at-run-time")
        found = re.search(r"--state-dir (\S+)", up.output)
        assert found
        state = Path(found[1])
        assert state.is_relative_to(temporary)
        assert [one for one in (state / "redis").rglob("*") if one.is_file()] == []
        assert up.quintet("get", "queues", "--state-dir", str(state)).count("orders") == 1
        sqs.close()
        assert up.end(number) == 0
        assert os.listdir(temporary) == []
        assert not ready_file.exists()
        assert not up.state.exists()


def test_it_may_be_stopped_while_it_starts(up: Up, temporary: Path) -> None:
    up.launch("--ephemeral", TMPDIR=str(temporary))
    until(lambda: os.listdir(temporary), "it does not start")
    assert up.end() == 0
    assert os.listdir(temporary) == []


def test_a_state_directory_is_refused(up: Up, tmp_path: Path) -> None:
    said = up.quintet("up", "--ephemeral", "--state-dir", str(tmp_path), code=2)
    assert "--ephemeral keeps nothing" in said
