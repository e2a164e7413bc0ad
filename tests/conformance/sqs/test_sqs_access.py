"""Signed requests with unmodified boto3: who may do what, and what is wrong with a signature."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from quintet_api.credentials import key_id, secret_key
from tests.conformance.sqs.clients import ARN, client, queue_name, receive, refusal
from tests.processes import Broker

Keyed = Callable[..., Any]


@pytest.fixture
def pool(keyed: Keyed) -> Any:
    """A client with the pool's key."""
    return keyed("BrokerPool", "default")


def test_a_queues_key_opens_its_queue_and_nothing_else(pool: Any, keyed: Keyed) -> None:
    name, foreign = queue_name(), queue_name()
    url, other = (pool.create_queue(QueueName=one)["QueueUrl"] for one in (name, foreign))
    sqs = keyed("Queue", name)
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(sqs, url, AttributeNames=["All"])
    assert message["Attributes"]["SenderId"] == key_id("Queue", "default", name)
    held = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(VisibilityTimeout=60, **held)
    sqs.delete_message(**held)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"] == {"QueueArn": ARN + name}
    entry = {"Id": "1", "ReceiptHandle": "x"}
    denied: list[tuple[Any, dict[str, Any]]] = [
        (sqs.change_message_visibility, {"QueueUrl": other, "ReceiptHandle": "x", "VisibilityTimeout": 1}),
        (sqs.change_message_visibility_batch, {"QueueUrl": other, "Entries": [entry]}),
        (sqs.create_queue, {"QueueName": name}),
        (sqs.delete_message, {"QueueUrl": other, "ReceiptHandle": "x"}),
        (sqs.delete_message_batch, {"QueueUrl": other, "Entries": [entry]}),
        (sqs.delete_queue, {"QueueUrl": url}),
        (sqs.get_queue_attributes, {"QueueUrl": other}),
        (sqs.get_queue_url, {"QueueName": foreign}),
        (sqs.get_queue_url, {"QueueName": "no-such-queue"}),
        (sqs.list_queues, {}),
        (sqs.purge_queue, {"QueueUrl": url}),
        (sqs.receive_message, {"QueueUrl": other}),
        (sqs.receive_message, {"QueueUrl": "nonsense"}),
        (sqs.send_message, {"QueueUrl": other, "MessageBody": "x"}),
        (sqs.send_message_batch, {"QueueUrl": other, "Entries": [{"Id": "1", "MessageBody": "x"}]}),
        (sqs.set_queue_attributes, {"QueueUrl": url, "Attributes": {"DelaySeconds": "1"}}),
    ]
    for verb, arguments in denied:
        assert refusal(verb, **arguments)[:2] == ("AccessDenied", 403), (verb, arguments)


def test_bad_keys_and_signatures(secured_broker: Broker, protocol: str, pool: Any, keyed: Keyed) -> None:
    name = queue_name()
    arguments = {"QueueUrl": pool.create_queue(QueueName=name)["QueueUrl"], "MessageBody": "x"}
    wrong = keyed("Queue", name, "wrong secret")
    assert refusal(wrong.send_message, **arguments)[:2] == ("SignatureDoesNotMatch", 403)
    for key in "AKIDEXAMPLE", key_id("Queue", "elsewhere", name):
        stranger = client(secured_broker.http_url, protocol, key)
        assert refusal(stranger.send_message, **arguments)[:2] == ("InvalidClientTokenId", 403)
        stranger.close()


def test_an_unsigned_request_is_refused(secured_broker: Broker) -> None:
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    unsigned = boto3.client("sqs", endpoint_url=secured_broker.http_url, region_name="us-east-1", config=config)
    assert refusal(unsigned.list_queues)[:2] == ("MissingAuthenticationToken", 403)
    unsigned.close()


def test_a_presigned_request(secured_broker: Broker, pool: Any) -> None:
    name = queue_name()
    url = pool.create_queue(QueueName=name)["QueueUrl"]
    query = urlencode({"Action": "SendMessage", "MessageBody": "a b+c/ä"})
    presigned = _presigned(secured_broker, f"{url}?{query}")
    with urlopen(presigned) as response:
        assert b"<MessageId>" in response.read()
    (message,) = receive(pool, url)
    assert message["Body"] == "a b+c/ä"
    with pytest.raises(HTTPError) as caught, urlopen(presigned.replace("SendMessage", "PurgeQueue")):
        pass
    with caught.value as error:
        assert error.code == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in error.read()


def _presigned(broker: Broker, url: str) -> str:
    key = key_id("BrokerPool", "default", "default")
    credentials = Credentials(key, secret_key(broker.master_key.encode(), key))
    request = AWSRequest("GET", url)
    SigV4QueryAuth(credentials, "sqs", "eu-west-1", expires=60).add_auth(request)
    return str(request.prepare().url)


def test_a_clock_may_be_wrong_by_a_quarter_of_an_hour(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes, accepted in (14, True), (-14, True), (16, False), (-16, False):
        moved = datetime.now(UTC) + timedelta(minutes=minutes)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda moved=moved: moved.replace(tzinfo=None))
        if accepted:
            pool.list_queues()
        else:
            assert refusal(pool.list_queues)[:2] == ("SignatureDoesNotMatch", 403)
