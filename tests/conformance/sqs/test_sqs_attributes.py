"""Queue attributes that no spec has, with unmodified boto3: kept, shown, and enforced where there is something to."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.sqs.clients import ACCOUNT, ARN, queue_name, refusal

NewQueue = Callable[..., str]

KEY = {"KmsMasterKeyId": "alias/orders", "KmsDataKeyReusePeriodSeconds": "6000"}
BY_GROUP = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}


def attributes(sqs: Any, url: str, *names: str) -> dict[str, str]:
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names).get("Attributes", {})
    return found


def allow(permission: str, *sources: str) -> str:
    found: dict[str, Any] = {"redrivePermission": permission}
    return json.dumps(found | {"sourceQueueArns": [ARN + source for source in sources]} if sources else found)


def redrive(dead: str) -> dict[str, str]:
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + dead, "maxReceiveCount": 3})}


def test_encryption_is_kept_and_shown(sqs: Any, new_queue: NewQueue) -> None:
    names = [*KEY, "SqsManagedSseEnabled"]
    url = new_queue(**KEY)
    assert attributes(sqs, url, *names) == KEY | {"SqsManagedSseEnabled": "false"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
    assert attributes(sqs, url, *names) == {"SqsManagedSseEnabled": "true"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "other"})
    shown = {"KmsMasterKeyId": "other", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"}
    assert attributes(sqs, url, *names) == shown
    given = {"KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": "300"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=given)
    assert attributes(sqs, url, *names) == {"SqsManagedSseEnabled": "false"}


def test_throughput_of_a_fifo_queue_is_kept_and_shown(sqs: Any) -> None:
    url = sqs.create_queue(QueueName=f"{queue_name()}.fifo", Attributes={"FifoQueue": "true"} | BY_GROUP)["QueueUrl"]
    assert attributes(sqs, url, *BY_GROUP) == BY_GROUP
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"FifoThroughputLimit": "perQueue"})
    assert attributes(sqs, url, *BY_GROUP) == BY_GROUP | {"FifoThroughputLimit": "perQueue"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=BY_GROUP)
    refused = refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes={"DeduplicationScope": "queue"})
    assert refused[:2] == ("InvalidAttributeValue", 400)


def test_truth_may_begin_with_a_capital(sqs: Any) -> None:
    given = {"FifoQueue": "True", "ContentBasedDeduplication": "True", "SqsManagedSseEnabled": "True"}
    url = sqs.create_queue(QueueName=f"{queue_name()}.fifo", Attributes=given)["QueueUrl"]
    assert attributes(sqs, url, *given) == dict.fromkeys(given, "true")


def test_a_dead_letter_queue_says_whose_it_is(sqs: Any) -> None:
    dead, source, other = queue_name(), queue_name(), queue_name()
    url = sqs.create_queue(QueueName=dead, Attributes={"RedriveAllowPolicy": allow("byQueue", source)})["QueueUrl"]
    assert attributes(sqs, url, "All")["RedriveAllowPolicy"] == allow("byQueue", source)
    sqs.create_queue(QueueName=source, Attributes=redrive(dead))
    code, status, message = refusal(sqs.create_queue, QueueName=other, Attributes=redrive(dead))
    assert (code, status) == ("InvalidParameterValue", 400)
    assert "RedriveAllowPolicy" in message
    other_url = sqs.create_queue(QueueName=other)["QueueUrl"]
    for policy, allowed in (allow("denyAll"), False), (allow("allowAll"), True), ("", True):
        sqs.set_queue_attributes(QueueUrl=other_url, Attributes={"RedrivePolicy": ""})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": policy})
        if allowed:
            sqs.set_queue_attributes(QueueUrl=other_url, Attributes=redrive(dead))
        else:
            asked = {"QueueUrl": other_url, "Attributes": redrive(dead)}
            assert refusal(sqs.set_queue_attributes, **asked)[0] == "InvalidParameterValue"


def test_a_second_creation_names_the_attribute_that_differs(sqs: Any) -> None:
    name = queue_name()
    sqs.create_queue(QueueName=name, Attributes=KEY | {"DelaySeconds": "1"})
    sqs.create_queue(QueueName=name, Attributes=KEY)
    sqs.create_queue(QueueName=name, Attributes={"SqsManagedSseEnabled": "false"})
    for changed in {"DelaySeconds": "2"}, {"KmsMasterKeyId": "other"}, {"Policy": POLICY}:
        [attribute] = changed
        text = f"A queue already exists with the same name and a different value for attribute {attribute}"
        assert refusal(sqs.create_queue, QueueName=name, Attributes=changed) == ("QueueAlreadyExists", 400, text)


POLICY = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ContentBasedDeduplication": "true"}, "Unknown Attribute ContentBasedDeduplication."),
        (
            {"DeduplicationScope": "queue"},
            "You can specify the DeduplicationScope only when FifoQueue is set to true.",
        ),
        (
            {"FifoThroughputLimit": "perQueue"},
            "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
        ),
        ({"FifoQueue": "false"}, "Unknown Attribute FifoQueue."),
        ({"CreatedTimestamp": "1"}, "Unknown Attribute CreatedTimestamp."),
    ],
)
def test_what_only_a_fifo_queue_has(sqs: Any, given: dict[str, str], message: str) -> None:
    refused = refusal(sqs.create_queue, QueueName=queue_name(), Attributes=given)
    assert refused == ("InvalidAttributeName", 400, message)


def test_a_queues_type_stays(sqs: Any, queue: str) -> None:
    refused = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"FifoQueue": "true"})
    assert refused == ("InvalidAttributeName", 400, "Unknown Attribute FifoQueue.")
    fifo = sqs.create_queue(QueueName=f"{queue_name()}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"FifoQueue": "true"})
    text = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
    refused = refusal(sqs.set_queue_attributes, QueueUrl=fifo, Attributes={"FifoQueue": "false"})
    assert refused == ("InvalidAttributeValue", 400, text)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "Redrive policy is not a valid JSON map."),
        ("[]", "Redrive policy is not a valid JSON map."),
        ('{"maxReceiveCount": 1}', "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        (
            json.dumps({"deadLetterTargetArn": ARN + "q"}),
            "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        ),
        (
            json.dumps({"deadLetterTargetArn": ARN + "q", "maxReceiveCount": 1001}),
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            json.dumps({"deadLetterTargetArn": ARN.replace(ACCOUNT, "1" * 12) + "q", "maxReceiveCount": 1}),
            "Dead-letter target owner should be same as the source.",
        ),
        (
            json.dumps({"deadLetterTargetArn": ARN + "q.fifo", "maxReceiveCount": 1}),
            "Dead-letter queue must be same type of queue as the source.",
        ),
        (
            json.dumps({"deadLetterTargetArn": ARN + "no-such-queue", "maxReceiveCount": 1}),
            "Dead letter target does not exist.",
        ),
    ],
)
def test_a_bad_redrive_policy(sqs: Any, policy: str, reason: str) -> None:
    text = f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}"
    refused = refusal(sqs.create_queue, QueueName=queue_name(), Attributes={"RedrivePolicy": policy})
    assert refused == ("InvalidParameterValue", 400, text)
