"""Sending, receiving and settling with unmodified boto3."""

import base64
import hashlib
import json
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from quintet import sync
from quintet_broker.services.receiving import MAX_WAIT
from tests.conformance.sqs.clients import ARN, nothing, queue_name, receive
from tests.processes import Broker

NewQueue = Callable[..., str]

EXOTIC = "a\tb\r\nc <&>\"' ä 漢 🦆"


def test_a_message_goes_through(sqs: Any, queue: str) -> None:
    sent = sqs.send_message(QueueUrl=queue, MessageBody="This is a test message")
    # The digest of this body in AWS's documentation.
    assert sent["MD5OfMessageBody"] == "fafb00f5732ab283681e124bf8747ed1"
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message == {
        "MessageId": sent["MessageId"],
        "ReceiptHandle": message["ReceiptHandle"],
        "MD5OfBody": sent["MD5OfMessageBody"],
        "Body": "This is a test message",
    }
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_a_body_comes_back_as_it_was(sqs: Any, queue: str) -> None:
    sent = sqs.send_message(QueueUrl=queue, MessageBody=EXOTIC)
    (message,) = receive(sqs, queue)
    assert message["Body"] == EXOTIC
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"] == hashlib.md5(EXOTIC.encode()).hexdigest()


def test_a_group_is_next_though_another_has_a_backlog(sqs: Any, queue: str) -> None:
    for first in range(0, 100, 10):
        entries = [{"Id": str(n), "MessageBody": "x", "MessageGroupId": "noisy"} for n in range(first, first + 10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert len(receive(sqs, queue, MaxNumberOfMessages=10)) > 0
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageGroupId="quiet")
    (message,) = receive(sqs, queue, MaxNumberOfMessages=1, MessageSystemAttributeNames=["MessageGroupId"])
    assert message["Attributes"] == {"MessageGroupId": "quiet"}


def test_attributes_keep_their_types(sqs: Any, queue: str) -> None:
    attributes = {
        "text": {"DataType": "String", "StringValue": EXOTIC},
        "number": {"DataType": "Number", "StringValue": "-12.50e3"},
        "price": {"DataType": "Number.euro", "StringValue": "3"},
        "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
        "picture": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG"},
        "link": {"DataType": "String.url", "StringValue": "https://quintet.dev"},
    }
    sent = sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
    (message,) = receive(sqs, queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]


def test_attributes_have_the_digest_that_aws_gives(sqs: Any, queue: str) -> None:
    attributes = {"timestamp": {"StringValue": "1493147359900", "DataType": "Number"}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
    assert sent["MD5OfMessageAttributes"] == "235c5c510d26fb653d073faed50ae77c"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], set()),
        (["All"], {"trace.id", "trace.span", "tenant"}),
        ([".*"], {"trace.id", "trace.span", "tenant"}),
        (["*"], {"trace.id", "trace.span", "tenant"}),
        (["trace.*"], {"trace.id", "trace.span"}),
        (["tenant", "absent"], {"tenant"}),
        (["ten.*", "trace.id"], {"tenant", "trace.id"}),
    ],
)
def test_only_the_attributes_that_were_asked_for_come(sqs: Any, queue: str, wanted: list[str], found: set[str]) -> None:
    value = {"DataType": "String", "StringValue": "1"}
    sqs.send_message(
        QueueUrl=queue,
        MessageBody="x",
        MessageAttributes={"trace.id": value, "trace.span": value, "tenant": value},
    )
    (message,) = receive(sqs, queue, MessageAttributeNames=wanted)
    assert set(message.get("MessageAttributes", {})) == found
    assert ("MD5OfMessageAttributes" in message) == bool(found)


def test_system_attributes(sqs: Any, queue: str) -> None:
    before = time.time() * 1000
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="x", MessageGroupId="tenant-7", MessageSystemAttributes=trace)
    assert sent["MD5OfMessageSystemAttributes"] == _digest("AWSTraceHeader", trace["AWSTraceHeader"]["StringValue"])
    (message,) = receive(sqs, queue, VisibilityTimeout=0, AttributeNames=["All"])
    attributes = message["Attributes"]
    assert attributes["AWSTraceHeader"] == trace["AWSTraceHeader"]["StringValue"]
    assert attributes["MessageGroupId"] == "tenant-7"
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["SenderId"] == "000000000000"
    assert before - 2000 < int(attributes["SentTimestamp"]) <= int(attributes["ApproximateFirstReceiveTimestamp"])
    (again,) = receive(sqs, queue, MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId"])
    assert again["Attributes"] == {"ApproximateReceiveCount": "2", "MessageGroupId": "tenant-7"}


def _digest(name: str, value: str) -> str:
    """Of one String attribute, as AWS's documentation describes it."""
    parts = (name, "String", value)
    sized = [len(part).to_bytes(4) + part.encode() for part in parts]
    return hashlib.md5(sized[0] + sized[1] + b"\x01" + sized[2]).hexdigest()


def test_a_long_poll_wakes_at_once_on_a_send(broker: Broker, sqs: Any, queue: str) -> None:
    poll = HTTPConnection("127.0.0.1", broker.settings["http_port"], timeout=MAX_WAIT * 3 / 4)
    form = {"Action": "ReceiveMessage", "WaitTimeSeconds": MAX_WAIT}
    # The poll is sent before the message is: two calls of boto3 could not promise that.
    poll.request("POST", urlsplit(queue).path, urlencode(form))
    sqs.send_message(QueueUrl=queue, MessageBody="at last")
    with poll.getresponse() as response:
        assert b"<Body>at last</Body>" in response.read()
    poll.close()


def test_a_long_poll_ends_empty_after_its_time(sqs: Any, new_queue: NewQueue) -> None:
    queue = new_queue(ReceiveMessageWaitTimeSeconds="1")
    began = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert time.monotonic() - began > 0.99


def test_an_unsettled_message_comes_again(sqs: Any, new_queue: NewQueue) -> None:
    queue = new_queue(VisibilityTimeout="1")
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (first,) = receive(sqs, queue)
    (second,) = receive(sqs, queue)
    assert second["MessageId"] == first["MessageId"]
    # An old receipt is no error, and deletes nothing.
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    (third,) = receive(sqs, queue)
    assert third["MessageId"] == first["MessageId"]


def test_visibility_changes(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = receive(sqs, queue, VisibilityTimeout=1)
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=43200)
    assert receive(sqs, queue, WaitTimeSeconds=2) == []
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = receive(sqs, queue, WaitTimeSeconds=0)
    assert again["MessageId"] == message["MessageId"]


def test_delays(sqs: Any, new_queue: NewQueue) -> None:
    queue = new_queue(DelaySeconds="900")
    sqs.send_message(QueueUrl=queue, MessageBody="the queue's delay")
    names = ["ApproximateNumberOfMessagesDelayed"]
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"] == {names[0]: "1"}
    began = time.monotonic()
    sqs.send_message(QueueUrl=queue, MessageBody="its own", DelaySeconds=1)
    (message,) = receive(sqs, queue)
    assert message["Body"] == "its own"
    assert time.monotonic() - began > 0.99


def test_a_message_received_too_often_goes_to_the_dead_letter_queue(sqs: Any, new_queue: NewQueue) -> None:
    dead = new_queue()
    policy = {"deadLetterTargetArn": ARN + dead.rpartition("/")[2], "maxReceiveCount": "2"}
    queue = new_queue(RedrivePolicy=json.dumps(policy))
    attributes = {"n": {"DataType": "Number", "StringValue": "7"}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="poison", MessageAttributes=attributes)
    for _ in range(2):
        (message,) = receive(sqs, queue, VisibilityTimeout=0)
    (found,) = receive(sqs, dead, AttributeNames=["All"], MessageAttributeNames=["All"])
    assert (found["MessageId"], found["Body"]) == (sent["MessageId"], "poison")
    assert found["MessageAttributes"] == attributes
    assert found["Attributes"]["DeadLetterQueueSourceArn"] == ARN + queue.rpartition("/")[2]
    assert nothing(sqs, queue)
    assert message["MessageId"] == sent["MessageId"]


def test_purge(sqs: Any, queue: str) -> None:
    for delay in 0, 0, 900:
        sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
    assert len(receive(sqs, queue, MaxNumberOfMessages=1)) == 1
    sqs.purge_queue(QueueUrl=queue)
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert {value for name, value in attributes.items() if name.startswith("Approximate")} == {"0"}
    assert nothing(sqs, queue)


def test_batches(sqs: Any, queue: str) -> None:
    entries = [{"Id": f"n{n}", "MessageBody": f"body {n}"} for n in range(10)]
    sent = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert [one["Id"] for one in sent["Successful"]] == [entry["Id"] for entry in entries]
    assert "Failed" not in sent or sent["Failed"] == []
    messages = receive(sqs, queue, VisibilityTimeout=1)
    assert {one["MessageId"] for one in messages} == {one["MessageId"] for one in sent["Successful"]}
    receipts = [{"Id": f"r{n}", "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
    hidden = sqs.change_message_visibility_batch(
        QueueUrl=queue, Entries=[entry | {"VisibilityTimeout": 600} for entry in receipts]
    )
    assert [one["Id"] for one in hidden["Successful"]] == [entry["Id"] for entry in receipts]
    deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=receipts)
    assert [one["Id"] for one in deleted["Successful"]] == [entry["Id"] for entry in receipts]
    sqs.send_message(QueueUrl=queue, MessageBody="last")
    (last,) = receive(sqs, queue)
    assert last["Body"] == "last"


def test_batches_may_fail_in_part(sqs: Any, queue: str) -> None:
    sent = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "good", "MessageBody": "x", "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "1"}}},
            {"Id": "delay", "MessageBody": "x", "DelaySeconds": 901},
            {"Id": "body", "MessageBody": "\x00"},
            {
                "Id": "name",
                "MessageBody": "x",
                "MessageAttributes": {"\x00": {"DataType": "String", "StringValue": "1"}},
            },
        ],
    )
    (good,) = sent["Successful"]
    assert (good["Id"], "MD5OfMessageAttributes" in good) == ("good", True)
    codes = {one["Id"]: (one["Code"], one["SenderFault"]) for one in sent["Failed"]}
    assert codes == {
        "delay": ("InvalidParameterValue", True),
        "body": ("InvalidMessageContents", True),
        "name": ("InvalidParameterValue", True),
    }
    (message,) = receive(sqs, queue)
    hidden = sqs.change_message_visibility_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "long", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 43201},
            {"Id": "none", "ReceiptHandle": message["ReceiptHandle"]},
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 60},
            {"Id": "handle", "ReceiptHandle": "nonsense", "VisibilityTimeout": 60},
        ],
    )
    assert [one["Id"] for one in hidden["Successful"]] == ["good"]
    assert {one["Id"]: one["Code"] for one in hidden["Failed"]} == {
        "long": "InvalidParameterValue",
        "none": "MissingParameter",
        "handle": "ReceiptHandleIsInvalid",
    }
    deleted = sqs.delete_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
            {"Id": "handle", "ReceiptHandle": "nonsense"},
        ],
    )
    assert [one["Id"] for one in deleted["Successful"]] == ["good"]
    assert [(one["Id"], one["Code"]) for one in deleted["Failed"]] == [("handle", "ReceiptHandleIsInvalid")]


def test_what_sqs_cannot_express_comes_encoded(broker: Broker, sqs: Any) -> None:
    name = queue_name()
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    message = {
        "valueBase64": _packed(b"\xff\x00"),
        "keyBase64": _packed(b"key \xff"),
        "headers": {"plain": "text", "with space": "1", "quintet.own": "2", "empty": ""},
        "headersBase64": {"bytes": _packed(b"\xff")},
    }
    _post(f"{broker.http_url}/v1/queues/{name}/messages", {"messages": [message]})
    (found,) = receive(sqs, queue, VisibilityTimeout=0)
    assert base64.b64decode(found["Body"]) == b"\xff\x00"
    assert found["MessageAttributes"] == {"quintet.encoding": {"DataType": "String", "StringValue": "base64"}}
    (found,) = receive(sqs, queue, MessageAttributeNames=["All"], AttributeNames=["All"])
    attributes = found["MessageAttributes"]
    assert attributes["plain"] == {"DataType": "String", "StringValue": "text"}
    assert attributes["bytes"] == {"DataType": "Binary", "BinaryValue": b"\xff"}
    assert attributes["quintet.key"] == {"DataType": "Binary", "BinaryValue": b"key \xff"}
    assert json.loads(attributes["quintet.headers"]["StringValue"]) == [
        ["with space", _packed(b"1")],
        ["quintet.own", _packed(b"2")],
    ]
    assert "MessageGroupId" not in found["Attributes"]


def test_other_faces_see_a_record(broker: Broker, sqs: Any) -> None:
    name = queue_name()
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    attributes = {"n": {"DataType": "Number", "StringValue": "7"}}
    sqs.send_message(
        QueueUrl=queue,
        MessageBody="x",
        MessageGroupId="g",
        MessageAttributes=attributes,
        MessageSystemAttributes=trace,
    )
    (found,) = _post(f"{broker.http_url}/v1/queues/{name}/messages:receive", {})["messages"]
    assert (found["value"], found["key"], found["headers"]) == ("x", "g", {"n": "7"})
    assert "headersBase64" not in found


@pytest.mark.parametrize("kept", [{}, {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}])
def test_our_client_sees_what_was_sent_together_and_nothing_that_is_kept_beside_it(
    broker: Broker, sqs: Any, kept: dict[str, Any]
) -> None:
    name = queue_name()
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    numbers = [str(number) for number in range(10)]
    entries = [
        {
            "Id": number,
            "MessageBody": f"message {number}",
            "MessageAttributes": {"n": {"DataType": "Number", "StringValue": number}} if number == "3" else {},
            "MessageSystemAttributes": kept,
        }
        for number in numbers
    ]
    sent = {
        one["Id"]: one["MessageId"] for one in sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]
    }
    with sync.connect(broker.http_url) as client:
        found = client.queue(name).receive_batch(10, wait=10)
        assert [(one.id, one.value, dict(one.headers)) for one in found] == [
            (sent[number], f"message {number}".encode(), {"n": "3"} if number == "3" else {}) for number in numbers
        ]
        client.queue(name).release_batch(found)
    again = receive(sqs, queue, AttributeNames=["All"], MessageAttributeNames=["All"])
    for message in again:
        assert message["Attributes"].get("AWSTraceHeader") == ("Root=1" if kept else None)
        assert message["MessageId"] == sent[message["Body"].removeprefix("message ")]


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _post(url: str, body: Any) -> Any:
    with urllib.request.urlopen(url, json.dumps(body).encode()) as response:
        return json.load(response)


def test_the_trace_of_a_request_is_that_of_its_messages(sqs: Any, queue: str) -> None:
    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = "Root=1-5759e988"

    own = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=2"}}
    entries = [{"Id": "1", "MessageBody": "b"}, {"Id": "2", "MessageBody": "c", "MessageSystemAttributes": own}]
    sqs.meta.events.register("before-sign.sqs.*", add, unique_id="trace")
    try:
        sqs.send_message(QueueUrl=queue, MessageBody="a")
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    finally:
        sqs.meta.events.unregister("before-sign.sqs.*", unique_id="trace")
    sqs.send_message(QueueUrl=queue, MessageBody="d")
    found: dict[str, str | None] = {}
    while len(found) < 4:
        for message in receive(sqs, queue, AttributeNames=["AWSTraceHeader"]):
            found[message["Body"]] = message.get("Attributes", {}).get("AWSTraceHeader")
    assert found == {"a": "Root=1-5759e988", "b": "Root=1-5759e988", "c": "Root=2", "d": None}


def test_names_of_attributes_may_have_letters_of_europe(sqs: Any, queue: str) -> None:
    attributes = {"größe.1": {"DataType": "Number", "StringValue": "42"}}
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
    (message,) = receive(sqs, queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == attributes
