"""What a queue's policy lets other keys do, with unmodified boto3."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from quintet_api.credentials import key_id
from tests.conformance.sqs.clients import ACCOUNT, ARN, queue_name, receive, refusal

Keyed = Callable[..., Any]


@pytest.fixture
def pool(keyed: Keyed) -> Any:
    """A client with the pool's key."""
    return keyed("BrokerPool", "default")


def policy(sqs: Any, url: str) -> Any:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
    return json.loads(found["Policy"]) if found else None


def statement(name: str, effect: str, principal: Any, *actions: str) -> str:
    found = {"Effect": effect, "Principal": principal, "Action": list(actions), "Resource": ARN + name}
    return json.dumps({"Version": "2012-10-17", "Statement": [found]})


def denied(verb: Callable[..., Any], **arguments: Any) -> bool:
    return refusal(verb, **arguments)[:2] == ("AccessDenied", 403)


def test_permissions_come_and_go(sqs: Any, queue: str) -> None:
    arn = ARN + queue.rpartition("/")[2]
    both = {"QueueUrl": queue, "AWSAccountIds": [ACCOUNT, "Q.default.payments.1"]}
    sqs.add_permission(Label="first", Actions=["SendMessage", "GetQueueUrl"], **both)
    sqs.add_permission(QueueUrl=queue, Label="second", Actions=["*"], AWSAccountIds=["123456789012"])
    assert policy(sqs, queue) == {
        "Version": "2008-10-17",
        "Id": f"{arn}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "first",
                "Effect": "Allow",
                "Principal": {
                    "AWS": [f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/Q.default.payments.1"]
                },
                "Action": ["SQS:SendMessage", "SQS:GetQueueUrl"],
                "Resource": arn,
            },
            {
                "Sid": "second",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                "Action": "SQS:*",
                "Resource": arn,
            },
        ],
    }
    again = refusal(sqs.add_permission, Label="first", Actions=["*"], **both)
    assert again == (
        "InvalidParameterValue",
        400,
        "Value first for parameter Label is invalid. Reason: Already exists.",
    )
    sqs.remove_permission(QueueUrl=queue, Label="first")
    assert [one["Sid"] for one in policy(sqs, queue)["Statement"]] == ["second"]
    gone = refusal(sqs.remove_permission, QueueUrl=queue, Label="first")
    assert gone[0] == "InvalidParameterValue"
    assert "can't find label" in gone[2]
    sqs.remove_permission(QueueUrl=queue, Label="second")
    assert policy(sqs, queue) is None


@pytest.mark.parametrize(
    ("code", "status", "changed"),
    [
        ("InvalidParameterValue", 400, {"Label": "a b"}),
        ("InvalidParameterValue", 400, {"Actions": ["DeleteQueue"]}),
        ("InvalidParameterValue", 400, {"AWSAccountIds": ["somebody"]}),
        ("MissingParameter", 400, {"Actions": []}),
        ("MissingParameter", 400, {"AWSAccountIds": []}),
        ("OverLimit", 403, {"Actions": ["SendMessage"] * 8}),
    ],
)
def test_refused_permissions(sqs: Any, queue: str, code: str, status: int, changed: dict[str, Any]) -> None:
    asked = {"QueueUrl": queue, "Label": "x", "Actions": ["*"], "AWSAccountIds": [ACCOUNT]} | changed
    assert refusal(sqs.add_permission, **asked)[:2] == (code, status)
    assert policy(sqs, queue) is None


def test_a_policy_is_kept_as_it_was_given(sqs: Any, queue: str) -> None:
    name = queue.rpartition("/")[2]
    given = statement(name, "Allow", {"Service": "sns.amazonaws.com"}, "sqs:SendMessage")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": given})
    assert policy(sqs, queue) == json.loads(given)
    bad = given.replace('"Allow"', '"Maybe"')
    code, status, message = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"Policy": bad})
    assert (code, status) == ("InvalidAttributeValue", 400)
    assert message.startswith("Invalid value for the parameter Policy. Reason: ")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    assert policy(sqs, queue) is None


def test_another_queues_key_may_do_what_it_is_allowed(pool: Any, keyed: Keyed) -> None:
    name, other = queue_name(), queue_name()
    url = pool.create_queue(QueueName=name)["QueueUrl"]
    pool.create_queue(QueueName=other)
    guest = keyed("Queue", other)
    assert denied(guest.send_message, QueueUrl=url, MessageBody="x")
    key = key_id("Queue", "default", other)
    pool.add_permission(QueueUrl=url, Label="guest", AWSAccountIds=[key], Actions=["SendMessage", "GetQueueUrl"])
    assert guest.get_queue_url(QueueName=name)["QueueUrl"] == url
    guest.send_message(QueueUrl=url, MessageBody="from a guest")
    assert denied(guest.receive_message, QueueUrl=url)
    pool.set_queue_attributes(QueueUrl=url, Attributes={"Policy": statement(name, "Allow", "*", "sqs:*")})
    (message,) = receive(guest, url)
    guest.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    guest.purge_queue(QueueUrl=url)
    for verb, arguments in (
        (guest.delete_queue, {}),
        (guest.tag_queue, {"Tags": {"a": "b"}}),
        (guest.list_queue_tags, {}),
        (guest.add_permission, {"Label": "x", "AWSAccountIds": [key], "Actions": ["*"]}),
        (guest.set_queue_attributes, {"Attributes": {"Policy": ""}}),
    ):
        assert denied(verb, QueueUrl=url, **arguments)


def test_what_is_denied_is_denied_to_all_but_can_be_changed(pool: Any, keyed: Keyed) -> None:
    name = queue_name()
    url = pool.create_queue(QueueName=name, Attributes={"Policy": statement(name, "Deny", "*", "sqs:SendMessage")})[
        "QueueUrl"
    ]
    own = keyed("Queue", name)
    for sqs in pool, own:
        assert denied(sqs.send_message, QueueUrl=url, MessageBody="x")
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
    pool.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    own.send_message(QueueUrl=url, MessageBody="x")
