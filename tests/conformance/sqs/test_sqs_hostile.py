"""Requests that no client of SQS sends: refused in AWS's words, without a word in the log, others served meanwhile."""

import contextlib
import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from quintet_broker.protocols.admission import HELD_BYTES
from quintet_broker.web import BODY_LIMIT
from tests.conformance.sqs.clients import ACCOUNT, receive
from tests.processes import Broker

LEGACY = "AWS.SimpleQueueService."
DEEP = "[" * 100_000


def body_of(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def redrive(policy: str) -> bytes:
    return body_of(QueueName="hostile", Attributes={"RedrivePolicy": policy})


def exchange(broker: Broker, head: bytes, body: bytes = b"") -> bytes:
    """The whole answer to a request."""
    with socket.create_connection(address(broker), timeout=20) as connection:
        connection.sendall(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def address(broker: Broker) -> tuple[str, int]:
    parts = urlsplit(broker.http_url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def post(target: bytes, headers: bytes = b"", host: bytes = b"localhost") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: " + host + b"\r\nX-Amz-Target: AmazonSQS." + target + b"\r\n" + headers


def signature(region: bytes, headers: bytes = b"") -> bytes:
    """An Authorization made now, and what it says to sign beside the usual."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ").encode()
    names = b";".join([b"host;x-amz-date;x-amz-target", *(line.split(b":")[0] for line in headers.splitlines())])
    credential = b"Credential=P.default.default.1/%s/%s/sqs/aws4_request" % (now[:8], region)
    given = b"%s, SignedHeaders=%s, Signature=\xff" % (credential, names)
    return b"X-Amz-Date: %s\r\nAuthorization: AWS4-HMAC-SHA256 %s\r\n%s" % (now, given, headers)


@pytest.fixture(autouse=True)
def quiet(broker: Broker, secured_broker: Broker) -> Iterator[None]:
    """What a client does wrong is no error of the broker's."""
    before = {one.log: len(one.log.read_text()) for one in (broker, secured_broker)}
    yield
    logged = "".join(log.read_text()[length:] for log, length in before.items())
    assert "Traceback" not in logged
    assert " ERROR " not in logged


@pytest.mark.parametrize(
    ("head", "body", "code"),
    [
        (post(b"SendMessage"), body_of(QueueUrl="http://[", MessageBody="x"), f"{LEGACY}NonExistentQueue"),
        (post(b"SendMessage"), body_of(QueueUrl="http://a\u2100b/", MessageBody="x"), f"{LEGACY}NonExistentQueue"),
        (post(b"ListQueues"), f'{{"Unknown": {DEEP}'.encode(), "MalformedInput"),
        (post(b"ListQueues"), DEEP.encode(), "MalformedInput"),
        (post(b"ListQueues"), b'"\xff"', "MalformedInput"),
        (post(b"ListQueues"), b'{"QueueNamePrefix": "\\ud800"}', "MalformedInput"),
        (post(b"ListQueues"), b'{"MaxResults": ' + b"9" * 5000 + b"}", "MalformedInput"),
        (post(b"CreateQueue"), redrive(f'{{"unknown": {DEEP}'), "InvalidParameterValue"),
        (post(b"Dance\xff"), b"{}", "InvalidAction"),
        (post(b"CreateQueue", host=b"h\xff"), body_of(QueueName="hostile"), "MalformedInput"),
        (post(b"ListQueues", b"Content-Encoding: gzip\r\n"), b"not packed", "InvalidParameterValue"),
        (post(b"ListQueues", b"Content-Encoding: gzip\r\n"), gzip.compress(b" " * 2 * BODY_LIMIT), None),
    ],
)
def test_what_no_client_sends(broker: Broker, head: bytes, body: bytes, code: str | None) -> None:
    answer = exchange(broker, head, body)
    status = b"HTTP/1.1 400" if code else b"HTTP/1.1 413"
    assert answer.startswith(status)
    assert f"x-amzn-query-error: {code or 'RequestEntityTooLarge'};Sender".encode() in answer


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (post(b"ListQueues", signature(b"\xff")), "MalformedInput"),
        (post(b"ListQueues", signature(b"eu-west-1", b"x-amz-x: \xff\r\n")), "MalformedInput"),
        (post(b"ListQueues", signature(b"eu-west-1")), "MalformedInput"),
        (
            b"POST /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k/20260101/r/sqs/aws4_request&X-Amz-Signature=0"
            b"&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=000000001"
            + b"0"
            * 5000
            + b" HTTP/1.1"
            b"\r\nHost: localhost\r\n",
            "IncompleteSignature",
        ),
    ],
)
def test_signatures_that_no_client_makes(secured_broker: Broker, head: bytes, code: str) -> None:
    answer = exchange(secured_broker, head)
    assert answer.startswith(b"HTTP/1.1 400")
    assert code.encode() in answer


@pytest.mark.parametrize(
    "request_line", [b"NONSENSE\r\n", b"GET /\xff HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Encoding: br\r\n"]
)
def test_what_is_no_http(broker: Broker, request_line: bytes) -> None:
    assert b" 400 " in exchange(broker, request_line + b"Host: localhost\r\n", b"x")[:20]


def test_a_request_that_announces_too_much_is_not_worth_a_retry(broker: Broker) -> None:
    connection = HTTPConnection(*address(broker), timeout=20)
    headers = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Length": str(2 * HELD_BYTES)}
    connection.request("POST", "/", b"{}", headers)
    with connection.getresponse() as response:
        assert response.status == 413
        assert response.headers["x-amzn-query-error"] == "RequestEntityTooLarge;Sender"
    connection.close()


def test_slow_bodies_keep_nobody_out(broker: Broker, sqs: Any, queue: str) -> None:
    with contextlib.ExitStack() as slow:
        for _ in range(2 * HELD_BYTES // BODY_LIMIT):
            connection = slow.enter_context(socket.create_connection(address(broker)))
            connection.sendall(post(b"ListQueues") + b"Content-Length: %d\r\n\r\n{" % BODY_LIMIT)
        body = "x" * 1_000_000
        sqs.send_message(QueueUrl=queue, MessageBody=body)
        (message,) = receive(sqs, queue)
        assert message["Body"] == body


def test_a_connection_that_ends_amid_a_body(broker: Broker, sqs: Any, queue: str) -> None:
    with socket.create_connection(address(broker)) as connection:
        connection.sendall(post(b"ListQueues") + b"Content-Length: 100\r\n\r\n{")
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert len(receive(sqs, queue)) == 1


def test_a_connection_serves_on_after_refusals(broker: Broker) -> None:
    connection = HTTPConnection(*address(broker), timeout=20)
    for headers, body, status in (
        ({"X-Amz-Target": "AmazonSQS.ListQueues"}, b"[", 400),
        ({"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Encoding": "deflate"}, zlib.compress(b"{}"), 200),
        ({}, urlencode({"Action": "Dance"}).encode(), 400),
        ({"X-Amz-Target": "AmazonSQS.ListQueues"}, b"{}", 200),
    ):
        connection.request("POST", "/", body, headers)
        with connection.getresponse() as response:
            assert response.status == status
            response.read()
    connection.close()


def test_members_that_are_null_are_not_there(broker: Broker, sqs: Any, queue: str) -> None:
    def call(target: bytes, **fields: Any) -> dict[str, Any]:
        answer = exchange(broker, post(target), body_of(QueueUrl=queue, **fields))
        assert answer.startswith(b"HTTP/1.1 200")
        found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return found

    text = {"DataType": "String", "StringValue": "1", "BinaryValue": None}
    sent = call(b"SendMessage", MessageBody="x", MessageAttributes={"a": text}, MessageSystemAttributes=None)
    found = call(b"ReceiveMessage", AttributeNames=None, MessageAttributeNames=["a"], MaxNumberOfMessages=None)
    (message,) = found["Messages"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["MessageAttributes"] == {"a": {"DataType": "String", "StringValue": "1"}}
    answer = exchange(broker, post(b"SendMessage"), body_of(QueueUrl=queue, MessageBody=None))
    assert b"x-amzn-query-error: MissingParameter;Sender" in answer


def test_an_attribute_may_come_without_a_number(broker: Broker, sqs: Any, queue: str) -> None:
    form = {"Action": "SetQueueAttributes", "Attribute.Name": "VisibilityTimeout", "Attribute.Value": "7"}
    path = f"/{ACCOUNT}/{queue.rpartition('/')[2]}"
    answer = exchange(broker, f"POST {path} HTTP/1.1\r\nHost: localhost\r\n".encode(), urlencode(form).encode())
    assert answer.startswith(b"HTTP/1.1 200")
    names = ["VisibilityTimeout"]
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"] == {names[0]: "7"}
