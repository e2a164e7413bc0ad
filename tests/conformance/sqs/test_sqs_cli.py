"""The unmodified aws command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet_api.credentials import key_id, secret_key
from tests.conformance.sqs.clients import queue_name
from tests.processes import Broker

AWS = Path(sys.executable).with_name("aws")


Aws = Callable[..., Any]


@pytest.fixture
def aws(secured_broker: Broker, tmp_path: Path) -> Aws:
    """Runs `aws sqs` with the pool's key; answers what it prints."""
    key = key_id("BrokerPool", "default", "default")
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret_key(secured_broker.master_key.encode(), key),
        "AWS_DEFAULT_REGION": "ap-southeast-2",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }

    def run(*words: str) -> Any:
        command = [str(AWS), "--endpoint-url", secured_broker.http_url, "--output", "json", "sqs", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return run


def test_the_aws_command(aws: Aws) -> None:
    name = queue_name()
    url = aws("create-queue", "--queue-name", name, "--attributes", "VisibilityTimeout=60")["QueueUrl"]
    attributes = json.dumps({"n": {"DataType": "Number", "StringValue": "7"}})
    aws("send-message", "--queue-url", url, "--message-body", "héllo", "--message-attributes", attributes)
    answer = aws("receive-message", "--queue-url", url, "--attribute-names", "All", "--message-attribute-names", "All")
    (message,) = answer["Messages"]
    assert (message["Body"], message["MessageAttributes"]["n"]["StringValue"]) == ("héllo", "7")
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert aws("delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"]) is None


def test_the_aws_command_with_a_fifo_queue(aws: Aws) -> None:
    attributes = "FifoQueue=true,ContentBasedDeduplication=true"
    url = aws("create-queue", "--queue-name", f"{queue_name()}.fifo", "--attributes", attributes)["QueueUrl"]
    send = ("send-message", "--queue-url", url, "--message-group-id", "g", "--message-body")
    first, second, again = (aws(*send, body) for body in ("a", "b", "a"))
    assert again["MessageId"] == first["MessageId"]
    assert first["SequenceNumber"] < second["SequenceNumber"]
    receive = ("receive-message", "--queue-url", url, "--attribute-names", "All")
    (message,) = aws(*receive, "--max-number-of-messages", "1")["Messages"]
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ("a", "g")
    assert message["Attributes"]["SequenceNumber"] == first["SequenceNumber"]
    assert aws(*receive) is None
    aws("delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"])
    (message,) = aws(*receive)["Messages"]
    assert message["Body"] == "b"
