"""What SQS refuses, in AWS's words, in both protocols."""

import json
import re
import urllib.error
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from quintet_broker.web import BODY_LIMIT
from tests.conformance.sqs.clients import ACCOUNT, ARN, queue_name, receive, refusal
from tests.processes import Broker

LEGACY = "AWS.SimpleQueueService."
BIG = "x" * (1024 * 1024 + 1)
NOTHING = f"http://localhost/{ACCOUNT}/no-such-queue"
STRING = {"DataType": "String", "StringValue": "1"}


def attribute(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"MessageAttributes": {name: {"DataType": "String"} | fields}}


def entries(*given: dict[str, Any]) -> dict[str, Any]:
    return {"Entries": list(given)}


def redrive(**fields: Any) -> dict[str, Any]:
    return {"Attributes": {"RedrivePolicy": json.dumps(fields)}}


def visible(**fields: Any) -> dict[str, Any]:
    return {"Attributes": {name: str(value) for name, value in fields.items()}}


BY_QUEUE = {"redrivePermission": "byQueue"}


SEND: list[tuple[str, dict[str, Any]]] = [
    ("InvalidMessageContents", {"MessageBody": "a\x00b"}),
    ("InvalidMessageContents", {"MessageBody": "\uffff"}),
    ("MissingParameter", {"MessageBody": ""}),
    ("InvalidParameterValue", {"MessageBody": BIG}),
    ("InvalidParameterValue", {"DelaySeconds": 901}),
    ("InvalidParameterValue", {"DelaySeconds": -1}),
    ("InvalidParameterValue", {"MessageDeduplicationId": "1"}),
    ("InvalidParameterValue", {"MessageGroupId": "two words"}),
    ("InvalidParameterValue", {"MessageGroupId": "x" * 129}),
    ("InvalidParameterValue", {"MessageAttributes": {f"n{n}": STRING for n in range(11)}}),
    ("InvalidParameterValue", attribute("")),
    ("InvalidParameterValue", attribute(".a", StringValue="1")),
    ("InvalidParameterValue", attribute("a.", StringValue="1")),
    ("InvalidParameterValue", attribute("a..b", StringValue="1")),
    ("InvalidParameterValue", attribute("aws.a", StringValue="1")),
    ("InvalidParameterValue", attribute("a b", StringValue="1")),
    ("InvalidParameterValue", attribute("x" * 257, StringValue="1")),
    ("InvalidParameterValue", attribute("quintet-id", StringValue="1")),
    ("InvalidParameterValue", attribute("quintet.key", StringValue="1")),
    ("InvalidParameterValue", attribute(StringValue="")),
    ("InvalidParameterValue", attribute(StringValue="\x01")),
    ("InvalidParameterValue", attribute(DataType="Text", StringValue="1")),
    ("InvalidParameterValue", attribute(DataType="String.", StringValue="1")),
    ("InvalidParameterValue", attribute(DataType="", StringValue="1")),
    ("InvalidParameterValue", attribute(DataType="Binary", StringValue="1")),
    ("InvalidParameterValue", attribute(DataType="Number", StringValue="one")),
    ("InvalidParameterValue", attribute(DataType="Number", StringValue="1" * 39)),
    ("InvalidParameterValue", {"MessageSystemAttributes": {"Other": STRING}}),
    ("InvalidParameterValue", {"MessageSystemAttributes": {"AWSTraceHeader": STRING | {"DataType": "Number"}}}),
    ("InvalidParameterValue", {"MessageSystemAttributes": {"AWSTraceHeader": STRING | {"StringValue": "\x01"}}}),
]
RECEIVE: list[tuple[str, dict[str, Any]]] = [
    ("InvalidParameterValue", {"MaxNumberOfMessages": 0}),
    ("InvalidParameterValue", {"MaxNumberOfMessages": 11}),
    ("InvalidParameterValue", {"VisibilityTimeout": 43201}),
    ("InvalidParameterValue", {"VisibilityTimeout": -1}),
    ("InvalidParameterValue", {"WaitTimeSeconds": 21}),
    ("InvalidParameterValue", {"WaitTimeSeconds": -1}),
    ("InvalidAttributeName", {"AttributeNames": ["Colour"]}),
]
CREATE: list[tuple[str, dict[str, Any]]] = [
    ("InvalidAttributeName", visible(Colour="red")),
    ("InvalidAttributeName", visible(QueueArn="x")),
    ("InvalidAttributeValue", visible(VisibilityTimeout=43201)),
    ("InvalidAttributeValue", visible(VisibilityTimeout="-1")),
    ("InvalidAttributeValue", visible(DelaySeconds=901)),
    ("InvalidAttributeValue", visible(MaximumMessageSize=1023)),
    ("InvalidAttributeValue", visible(MaximumMessageSize=1048577)),
    ("InvalidAttributeValue", visible(MessageRetentionPeriod=59)),
    ("InvalidAttributeValue", visible(MessageRetentionPeriod=1209601)),
    ("InvalidAttributeValue", visible(ReceiveMessageWaitTimeSeconds=21)),
    ("InvalidAttributeValue", visible(ReceiveMessageWaitTimeSeconds="long")),
    ("InvalidParameterValue", visible(RedrivePolicy="{")),
    ("InvalidParameterValue", redrive(deadLetterTargetArn=ARN + "no-such-queue", maxReceiveCount=3)),
    ("InvalidParameterValue", redrive(deadLetterTargetArn="arn:aws:sqs:us-east-1:1:q", maxReceiveCount=3)),
    ("InvalidParameterValue", redrive(deadLetterTargetArn=ARN + "q")),
    ("InvalidParameterValue", redrive(deadLetterTargetArn=ARN + "q", maxReceiveCount=0)),
    ("InvalidParameterValue", redrive(deadLetterTargetArn=ARN + "q", maxReceiveCount="1001")),
    ("InvalidParameterValue", {"QueueName": "a b"}),
    ("InvalidParameterValue", {"QueueName": "x" * 81}),
    ("InvalidAttributeName", visible(KmsMasterKeyId="alias/key", SqsManagedSseEnabled="true")),
    ("InvalidAttributeValue", visible(SqsManagedSseEnabled="yes")),
    ("InvalidAttributeValue", visible(KmsDataKeyReusePeriodSeconds=59)),
    ("InvalidAttributeValue", visible(KmsDataKeyReusePeriodSeconds=86401)),
    ("InvalidAttributeValue", visible(Policy="{")),
    ("InvalidAttributeValue", visible(RedriveAllowPolicy='{"redrivePermission": "some"}')),
    ("InvalidAttributeValue", visible(RedriveAllowPolicy='{"redrivePermission": "byQueue"}')),
    ("InvalidAttributeValue", visible(RedriveAllowPolicy=json.dumps(BY_QUEUE | {"sourceQueueArns": [ARN + "q"] * 11}))),
    ("InvalidAttributeValue", visible(RedriveAllowPolicy=json.dumps(BY_QUEUE | {"sourceQueueArns": ["q"]}))),
]
ENTRY = {"Id": "1", "MessageBody": "x"}
BATCH: list[tuple[str, dict[str, Any]]] = [
    (f"{LEGACY}EmptyBatchRequest", entries()),
    (f"{LEGACY}TooManyEntriesInBatchRequest", entries(*(ENTRY | {"Id": str(n)} for n in range(11)))),
    (f"{LEGACY}BatchEntryIdsNotDistinct", entries(ENTRY, ENTRY)),
    (f"{LEGACY}InvalidBatchEntryId", entries(ENTRY | {"Id": "a b"})),
    (f"{LEGACY}InvalidBatchEntryId", entries(ENTRY | {"Id": ""})),
    (f"{LEGACY}InvalidBatchEntryId", entries(ENTRY | {"Id": "x" * 81})),
    (
        f"{LEGACY}BatchRequestTooLong",
        entries(*(ENTRY | {"Id": str(n), "MessageBody": "x" * 524289} for n in range(2))),
    ),
]


@pytest.mark.parametrize(("code", "arguments"), SEND)
def test_refused_sends(sqs: Any, queue: str, code: str, arguments: dict[str, Any]) -> None:
    found, status, message = refusal(sqs.send_message, **{"QueueUrl": queue, "MessageBody": "x"} | arguments)
    assert (found, status) == (code, 400)
    assert message


@pytest.mark.parametrize(("code", "arguments"), RECEIVE)
def test_refused_receives(sqs: Any, queue: str, code: str, arguments: dict[str, Any]) -> None:
    found, status, message = refusal(sqs.receive_message, QueueUrl=queue, **arguments)
    assert (found, status) == (code, 400)
    assert next(iter(arguments)) in message or "Colour" in message


@pytest.mark.parametrize(("code", "arguments"), CREATE)
def test_refused_queues(sqs: Any, code: str, arguments: dict[str, Any]) -> None:
    found, status, message = refusal(sqs.create_queue, **{"QueueName": queue_name()} | arguments)
    assert (found, status) == (code, 400)
    assert message


@pytest.mark.parametrize(("code", "arguments"), BATCH)
def test_refused_batches(sqs: Any, queue: str, code: str, arguments: dict[str, Any]) -> None:
    assert refusal(sqs.send_message_batch, QueueUrl=queue, **arguments)[:2] == (code, 400)


def test_a_message_may_be_as_large_as_the_queue_takes(sqs: Any, queue: str) -> None:
    attributes = {"name": {"DataType": "String", "StringValue": "value"}}
    taken = {"QueueUrl": queue, "MessageAttributes": attributes}
    # The attribute's name, type and value count too.
    sqs.send_message(MessageBody=BIG[16:], **taken)
    code, status, message = refusal(sqs.send_message, MessageBody=BIG[15:], **taken)
    assert (code, status) == ("InvalidParameterValue", 400)
    assert "1048576" in message


def test_receipts_that_hold_nothing(sqs: Any, queue: str) -> None:
    other = sqs.create_queue(QueueName=queue_name())["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = receive(sqs, queue)
    for url, receipt in (queue, "nonsense"), (queue, "ä"), (other, message["ReceiptHandle"]):
        answer = refusal(sqs.delete_message, QueueUrl=url, ReceiptHandle=receipt)
        text = f'The input receipt handle "{receipt}" is not a valid receipt handle.'
        assert answer == ("ReceiptHandleIsInvalid", 404, text)
        answer = refusal(sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=1)
        assert answer == ("ReceiptHandleIsInvalid", 404, text)
    held = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    answer = refusal(sqs.change_message_visibility, VisibilityTimeout=43201, **held)
    assert answer[:2] == ("InvalidParameterValue", 400)
    sqs.delete_message(**held)
    answer = refusal(sqs.change_message_visibility, VisibilityTimeout=1, **held)
    reason = "Message does not exist or is not available for visibility timeout change."
    text = f"Value {message['ReceiptHandle']} for parameter ReceiptHandle is invalid. Reason: {reason}"
    assert answer == ("InvalidParameterValue", 400, text)
    # A batch has another code for the same.
    entry = {"Id": "1", "VisibilityTimeout": 1, "ReceiptHandle": message["ReceiptHandle"]}
    (failed,) = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[entry])["Failed"]
    assert (failed["Code"], failed["Message"]) == ("ReceiptHandleIsInvalid", reason.rstrip("."))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"WaitTimeSeconds": 21},
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, {}",
        ),
        (
            {"WaitTimeSeconds": -1},
            "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, {}",
        ),
        (
            {"MaxNumberOfMessages": 11},
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, {}",
        ),
    ],
)
def test_the_words_of_refused_receives(sqs: Any, queue: str, arguments: dict[str, Any], text: str) -> None:
    assert refusal(sqs.receive_message, QueueUrl=queue, **arguments)[2] == text.format("if provided.")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (attribute(StringValue=""), "Message (user) attribute 'a' must contain a non-empty value of type 'String'."),
        (
            {"MessageGroupId": "two words"},
            "Value two words for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include "
            "alphanumeric and punctuation characters. 1 to 128 in length.",
        ),
        ({"MessageBody": ""}, "The request must contain the parameter MessageBody."),
        (
            {"MessageBody": BIG},
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        ),
        (
            {"DelaySeconds": 901},
            "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
        ),
    ],
)
def test_the_words_of_refused_sends(sqs: Any, queue: str, arguments: dict[str, Any], text: str) -> None:
    assert refusal(sqs.send_message, **{"QueueUrl": queue, "MessageBody": "x"} | arguments)[2] == text


def test_the_words_of_a_part_of_a_batch_that_is_too_large(sqs: Any) -> None:
    url = sqs.create_queue(QueueName=queue_name(), Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    big = {"Id": "big", "MessageBody": "x" * 1025}
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[ENTRY, big])
    assert answer["Failed"] == [
        {
            "Id": "big",
            "SenderFault": True,
            "Code": "InvalidParameterValue",
            "Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
        }
    ]
    assert "Failed" not in sqs.send_message_batch(QueueUrl=url, Entries=[ENTRY])


def test_the_words_of_a_queue_that_is_not_there(sqs: Any) -> None:
    for verb, arguments in (sqs.get_queue_url, {"QueueName": "none"}), (sqs.purge_queue, {"QueueUrl": NOTHING}):
        answer = refusal(verb, **arguments)
        assert answer == (f"{LEGACY}NonExistentQueue", 400, "The specified queue does not exist.")


def test_limits(broker: Broker, sqs: Any) -> None:
    name = queue_name()
    spec = json.dumps({"limits": {"inFlight": 1, "messages": 2}}).encode()
    with urlopen(Request(f"{broker.http_url}/v1/queues/{name}", spec, method="PUT")) as response:
        assert response.status == 200
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.send_message_batch(QueueUrl=url, Entries=[ENTRY, ENTRY | {"Id": "2"}])
    assert refusal(sqs.send_message, QueueUrl=url, MessageBody="x")[:2] == ("RequestThrottled", 403)
    assert len(receive(sqs, url)) == 1
    assert refusal(sqs.receive_message, QueueUrl=url)[:2] == ("OverLimit", 403)


def test_queues_that_are_not_there(sqs: Any) -> None:
    for url in NOTHING, "orders", "http://localhost", "http://localhost/111111111111/orders", "":
        code, status, _ = refusal(sqs.send_message, QueueUrl=url, MessageBody="x")
        assert (code, status) == (f"{LEGACY}NonExistentQueue", 400)
    code, _, _ = refusal(sqs.get_queue_url, QueueName="no-such-queue")
    assert code == f"{LEGACY}NonExistentQueue"


def test_unknown_attributes_and_tokens(sqs: Any, queue: str) -> None:
    code, _, message = refusal(sqs.get_queue_attributes, QueueUrl=queue, AttributeNames=["Colour"])
    assert (code, "Colour" in message) == ("InvalidAttributeName", True)
    code, _, _ = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"DelaySeconds": "1000"})
    assert code == "InvalidAttributeValue"
    for arguments in {"MaxResults": 0}, {"MaxResults": 1001}, {"MaxResults": 5, "NextToken": "%"}:
        assert refusal(sqs.list_queues, **arguments)[0] == "InvalidParameterValue"


def call(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], str]:
    """(status, headers, body) of a raw request."""
    try:
        with urlopen(Request(url, body, headers)) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


@pytest.mark.parametrize(
    ("target", "body", "kind", "query_error"),
    [
        (
            "AmazonSQS.GetQueueUrl",
            b'{"QueueName": "none"}',
            "com.amazonaws.sqs#QueueDoesNotExist",
            f"{LEGACY}NonExistentQueue;Sender",
        ),
        (
            "AmazonSQS.SendMessage",
            b'{"QueueUrl": "x"}',
            "com.amazon.coral.service#MissingRequiredParameterException",
            "MissingParameter;Sender",
        ),
        ("AmazonSQS.SendMessage", b"[", "com.amazon.coral.service#SerializationException", "MalformedInput;Sender"),
        ("AmazonSQS.SendMessage", b'{"QueueUrl": 1}', "com.amazon.coral.service#SerializationException", None),
        (
            "AmazonSQS.Dance",
            b"{}",
            "com.amazon.coral.service#UnknownOperationException",
            "InvalidAction;Sender",
        ),
        ("AmazonSNS.SendMessage", b"{}", "com.amazon.coral.service#UnknownOperationException", None),
    ],
)
def test_json_errors_on_the_wire(broker: Broker, target: str, body: bytes, kind: str, query_error: str | None) -> None:
    status, headers, answer = call(f"{broker.http_url}/", body, **{"X-Amz-Target": target})
    assert status == 400
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert re.fullmatch("[0-9a-f-]{36}", headers["x-amzn-RequestId"])
    assert query_error is None or headers["x-amzn-query-error"] == query_error
    assert json.loads(answer)["__type"] == kind
    assert json.loads(answer)["message"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Action": "Dance"}, "InvalidAction"),
        ({}, "MissingAction"),
        ({"Action": "SendMessage", "QueueUrl": NOTHING}, "MissingParameter"),
        ({"Action": "SendMessage", "QueueUrl": NOTHING, "MessageBody": "x", "DelaySeconds": "x"}, "MalformedInput"),
        ({"Action": "SendMessage", "QueueUrl": NOTHING, "MessageBody": "x"}, f"{LEGACY}NonExistentQueue"),
        ({"Action": "CreateQueue", "QueueName": "x", "Attribute.1.Name": "DelaySeconds"}, "MalformedInput"),
    ],
)
def test_query_errors_on_the_wire(broker: Broker, form: dict[str, str], code: str) -> None:
    status, headers, answer = call(f"{broker.http_url}/", urlencode(form).encode())
    assert (status, headers["Content-Type"]) == (400, "text/xml")
    found = re.search(
        "<Error><Type>(.+)</Type><Code>(.+)</Code><Message>.+</Message></Error><RequestId>(.+)</RequestId>", answer
    )
    assert found
    assert (found[1], found[2], found[3]) == ("Sender", code, headers["x-amzn-RequestId"])


def test_a_request_that_is_too_large(broker: Broker) -> None:
    body = b"x" * (BODY_LIMIT + 1)
    status, headers, _ = call(f"{broker.http_url}/", body, **{"X-Amz-Target": "AmazonSQS.SendMessage"})
    assert (status, headers["x-amzn-query-error"]) == (413, "RequestEntityTooLarge;Sender")
    status, _, answer = call(f"{broker.http_url}/", body)
    assert status == 413
    assert "<Code>RequestEntityTooLarge</Code>" in answer


def test_a_query_may_be_a_get_of_the_queues_own_address(broker: Broker) -> None:
    name = queue_name()
    form = urlencode({"Action": "CreateQueue", "QueueName": name})
    with urlopen(f"{broker.http_url}/?{form}") as response:
        assert f"<QueueUrl>{broker.http_url}/{ACCOUNT}/{name}</QueueUrl>" in response.read().decode()
    form = urlencode({"Action": "SendMessage", "MessageBody": "<&>"})
    with urlopen(f"{broker.http_url}/{ACCOUNT}/{name}?{form}") as response:
        assert "<MD5OfMessageBody>" in response.read().decode()
    form = urlencode({"Action": "ReceiveMessage", "AttributeName": "All"})
    with urlopen(f"{broker.http_url}/{ACCOUNT}/{name}?{form}") as response:
        answer = response.read().decode()
    assert "<Body>&lt;&amp;&gt;</Body>" in answer
    assert "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>" in answer
