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


def test_the_aws_command_with_batches_dead_letters_and_tags(aws: Aws) -> None:
    name = queue_name()
    dead = aws("create-queue", "--queue-name", f"{name}-dead")["QueueUrl"]
    arn = aws("get-queue-attributes", "--queue-url", dead, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
    url = aws("create-queue", "--queue-name", name, "--tags", "team=orders")["QueueUrl"]
    redrive = json.dumps({"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})})
    aws("set-queue-attributes", "--queue-url", url, "--attributes", redrive)
    assert aws("list-queue-tags", "--queue-url", url)["Tags"] == {"team": "orders"}
    assert aws("list-dead-letter-source-queues", "--queue-url", dead)["queueUrls"] == [url]
    assert sorted(aws("list-queues", "--queue-name-prefix", name)["QueueUrls"]) == [url, dead]
    sent = aws("send-message-batch", "--queue-url", url, "--entries", "Id=a,MessageBody=1", "Id=b,MessageBody=2")
    assert len(sent["Successful"]) == 2
    receive = ("--wait-time-seconds", "20", "--max-number-of-messages", "10")
    held = aws("receive-message", "--queue-url", url, "--visibility-timeout", "0", *receive)["Messages"]
    # What was received as often as it may be is found dead at the next look.
    aws("receive-message", "--queue-url", url)
    (first, *_) = aws("receive-message", "--queue-url", dead, *receive)["Messages"]
    assert first["MessageId"] in {message["MessageId"] for message in held}
    entry = f"Id=1,ReceiptHandle={first['ReceiptHandle']}"
    assert aws("delete-message-batch", "--queue-url", dead, "--entries", entry)["Successful"] == [{"Id": "1"}]
    aws("purge-queue", "--queue-url", dead)
    aws("delete-queue", "--queue-url", url)
    assert aws("list-queues", "--queue-name-prefix", name)["QueueUrls"] == [dead]
