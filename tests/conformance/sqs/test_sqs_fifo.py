"""FIFO queues with unmodified boto3: names, groups, duplicates, and what is refused."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conformance.sqs.clients import ACCOUNT, ARN, nothing, queue_name, receive, refusal

LEGACY = "AWS.SimpleQueueService."
NewFifo = Callable[..., str]


@pytest.fixture
def new_fifo(sqs: Any) -> NewFifo:
    """Makes FIFO queues with attributes; answers their QueueUrls."""

    def make(**attributes: str) -> str:
        given = {"FifoQueue": "true"} | attributes
        url: str = sqs.create_queue(QueueName=f"{queue_name()}.fifo", Attributes=given)["QueueUrl"]
        return url

    return make


@pytest.fixture
def fifo(new_fifo: NewFifo) -> str:
    return new_fifo(ContentBasedDeduplication="true")


def send(sqs: Any, queue: str, body: str, group: str = "g", **arguments: Any) -> Any:
    return sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=group, **arguments)


def delete(sqs: Any, queue: str, message: Any) -> None:
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def bodies(messages: list[Any]) -> list[str]:
    return [message["Body"] for message in messages]


# Queues


def test_a_fifo_queue_is_called_with_its_suffix(sqs: Any, new_fifo: NewFifo) -> None:
    url = new_fifo()
    name = url.rpartition("/")[2]
    assert name.endswith(".fifo")
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"] == {"QueueArn": ARN + name}
    code, _, _ = refusal(sqs.get_queue_url, QueueName=name.removesuffix(".fifo"))
    assert code == f"{LEGACY}NonExistentQueue"
    code, _, _ = refusal(sqs.send_message, QueueUrl=url.removesuffix(".fifo"), MessageBody="x")
    assert code == f"{LEGACY}NonExistentQueue"
    sqs.delete_queue(QueueUrl=url)
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=name)


def test_its_attributes(sqs: Any, new_fifo: NewFifo) -> None:
    names = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]

    def shown() -> list[str]:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return [found[name] for name in names]

    url = new_fifo()
    assert shown() == ["true", "false", "queue", "perQueue"]
    high = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=high | {"ContentBasedDeduplication": "true"})
    assert shown() == ["true", "true", "messageGroup", "perMessageGroupId"]
    name = url.rpartition("/")[2]
    same = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} | high
    assert sqs.create_queue(QueueName=name, Attributes=same)["QueueUrl"] == url
    other = same | {"ContentBasedDeduplication": "false"}
    assert refusal(sqs.create_queue, QueueName=name, Attributes=other)[0] == "QueueAlreadyExists"


def test_its_dead_letter_queue_is_one_too(sqs: Any, new_fifo: NewFifo, new_queue: NewFifo) -> None:
    dead = new_fifo().rpartition("/")[2]
    policy = {"deadLetterTargetArn": ARN + dead, "maxReceiveCount": 1}
    url = new_fifo(RedrivePolicy=json.dumps(policy), ContentBasedDeduplication="true", VisibilityTimeout="1")
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    assert json.loads(shown) == policy
    for body in "ab":
        send(sqs, url, body)
    assert bodies(receive(sqs, url, MaxNumberOfMessages=1)) == ["a"]
    assert bodies(receive(sqs, url)) == ["b"]
    [found] = receive(sqs, url.replace(url.rpartition("/")[2], dead), AttributeNames=["All"])
    assert found["Body"] == "a"
    assert found["Attributes"]["MessageGroupId"] == "g"
    assert found["Attributes"]["DeadLetterQueueSourceArn"] == ARN + url.rpartition("/")[2]
    standard = new_queue().rpartition("/")[2]
    bad = json.dumps({"deadLetterTargetArn": ARN + standard, "maxReceiveCount": 1})
    code, _, text = refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": bad})
    assert code == "InvalidParameterValue"
    assert text.startswith(f"Value {bad} for parameter RedrivePolicy is invalid. Reason: ")


# Order


def test_a_group_is_received_in_order_and_does_not_hold_up_others(sqs: Any, fifo: str) -> None:
    entries = [
        {"Id": str(number), "MessageBody": str(number), "MessageGroupId": "even" if number % 2 == 0 else "odd"}
        for number in range(6)
    ]
    # Together: of what is stored apart, a receive may get only what is read by then.
    assert len(sqs.send_message_batch(QueueUrl=fifo, Entries=entries)["Successful"]) == 6
    [first] = receive(sqs, fifo, MaxNumberOfMessages=1)
    odd = receive(sqs, fifo)
    assert (first["Body"], bodies(odd)) == ("0", ["1", "3", "5"])
    assert nothing(sqs, fifo)
    delete(sqs, fifo, first)
    assert bodies(receive(sqs, fifo)) == ["2", "4"]


def test_what_is_released_comes_again_before_what_follows(sqs: Any, fifo: str) -> None:
    for body in "abc":
        send(sqs, fifo, body)
    [first] = receive(sqs, fifo, MaxNumberOfMessages=1)
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    again = bodies(receive(sqs, fifo, MaxNumberOfMessages=2))
    assert again in (["a"], ["a", "b"])


def test_consumers_beside_each_other_keep_the_order_of_each_group(sqs: Any, fifo: str) -> None:
    groups, each = 5, 12
    for number in range(each):
        entries = [{"Id": str(g), "MessageBody": f"{g} {number}", "MessageGroupId": str(g)} for g in range(groups)]
        assert len(sqs.send_message_batch(QueueUrl=fifo, Entries=entries)["Successful"]) == groups
    seen: list[str] = []

    def consume() -> None:
        while len(seen) < groups * each and (some := receive(sqs, fifo, MaxNumberOfMessages=3, WaitTimeSeconds=1)):
            for message in some:
                seen.append(message["Body"])
                delete(sqs, fifo, message)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(consume) for _ in range(4)]:
            done.result()
    for group in range(groups):
        mine = [int(body.split()[1]) for body in seen if body.split()[0] == str(group)]
        assert mine == list(range(each))


# Duplicates


def test_a_duplicate_is_confirmed_with_the_first_and_not_stored(sqs: Any, new_fifo: NewFifo) -> None:
    url = new_fifo()
    first = send(sqs, url, "a", MessageDeduplicationId="1")
    again = send(sqs, url, "b", "other", MessageDeduplicationId="1")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    [found] = receive(sqs, url, AttributeNames=["All"])
    assert (found["Body"], found["MessageId"]) == ("a", first["MessageId"])
    assert found["Attributes"]["MessageDeduplicationId"] == "1"
    assert found["Attributes"]["SequenceNumber"] == first["SequenceNumber"]
    delete(sqs, url, found)
    assert send(sqs, url, "c", MessageDeduplicationId="1")["MessageId"] == first["MessageId"]
    assert nothing(sqs, url)
    sqs.purge_queue(QueueUrl=url)
    assert send(sqs, url, "d", MessageDeduplicationId="1")["MessageId"] != first["MessageId"]
    assert bodies(receive(sqs, url)) == ["d"]


def test_the_content_is_an_id_too(sqs: Any, fifo: str) -> None:
    first = send(sqs, fifo, "a")
    assert (
        send(sqs, fifo, "a", MessageAttributes={"x": {"DataType": "String", "StringValue": "y"}})["MessageId"]
        == first["MessageId"]
    )
    assert send(sqs, fifo, "a", MessageDeduplicationId="1")["MessageId"] != first["MessageId"]
    assert bodies(receive(sqs, fifo)) == ["a", "a"]


def test_ids_may_count_within_a_group(sqs: Any, new_fifo: NewFifo) -> None:
    url = new_fifo(DeduplicationScope="messageGroup")
    ids = {send(sqs, url, "a", group, MessageDeduplicationId="1")["MessageId"] for group in "ggh"}
    assert len(ids) == 2


def test_sequence_numbers_have_20_digits_and_grow(sqs: Any, fifo: str) -> None:
    sent = [send(sqs, fifo, str(number))["SequenceNumber"] for number in range(12)]
    entries = [{"Id": body, "MessageBody": body, "MessageGroupId": "g"} for body in "aba"]
    entries[2]["Id"] = "c"
    first, second, again = sqs.send_message_batch(QueueUrl=fifo, Entries=entries)["Successful"]
    assert again["SequenceNumber"] == first["SequenceNumber"]
    sent += [first["SequenceNumber"], second["SequenceNumber"]]
    assert {len(number) for number in sent} == {20}
    assert sent == sorted(set(sent))


def test_a_delay_of_the_queue_keeps_the_order(sqs: Any, new_fifo: NewFifo) -> None:
    url = new_fifo(DelaySeconds="5", ContentBasedDeduplication="true")
    for number in range(3):
        send(sqs, url, str(number))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
    send(sqs, url, "3")
    assert nothing(sqs, url)
    received: list[str] = []
    while len(received) < 4:
        some = receive(sqs, url)
        received += bodies(some)
        for message in some:
            delete(sqs, url, message)
    assert received == ["0", "1", "2", "3"]


def test_a_receive_is_tried_again_under_its_name(sqs: Any, new_fifo: NewFifo) -> None:
    fifo = new_fifo(ContentBasedDeduplication="true", VisibilityTimeout="600")
    for body, group in ("1", "a"), ("2", "a"), ("3", "b"):
        send(sqs, fifo, body, group)
    attempt = {"MaxNumberOfMessages": 2, "AttributeNames": ["ApproximateReceiveCount"], "WaitTimeSeconds": 0}
    first = receive(sqs, fifo, ReceiveRequestAttemptId="one", **attempt)
    assert bodies(first) == ["1", "2"]
    assert receive(sqs, fifo, ReceiveRequestAttemptId="one", **attempt) == first
    assert bodies(receive(sqs, fifo, ReceiveRequestAttemptId="two", **attempt)) == ["3"]
    # The visibility timeout begins anew, and is that of the later attempt: none.
    assert receive(sqs, fifo, ReceiveRequestAttemptId="one", VisibilityTimeout=0, **attempt) == first
    again = receive(sqs, fifo, **attempt)
    assert bodies(again) == ["1", "2"]
    assert [message["ReceiptHandle"] for message in again] != [message["ReceiptHandle"] for message in first]
    # What others hold by now, or what is settled, is not given out again.
    assert receive(sqs, fifo, ReceiveRequestAttemptId="one", **attempt) == []
    delete(sqs, fifo, again[0])
    delete(sqs, fifo, again[1])
    send(sqs, fifo, "4", "a")
    found = receive(sqs, fifo, ReceiveRequestAttemptId="one", **attempt)
    assert bodies(found) == ["4"]
    delete(sqs, fifo, found[0])
    assert receive(sqs, fifo, ReceiveRequestAttemptId="one", **attempt) == []


def test_a_name_of_an_attempt_has_128_characters_at_most(sqs: Any, fifo: str) -> None:
    for attempt in "two words", "x" * 129:
        refused = refusal(sqs.receive_message, QueueUrl=fifo, ReceiveRequestAttemptId=attempt)
        assert refused[:2] == ("InvalidParameterValue", 400)
        assert "ReceiveRequestAttemptId can only include" in refused[2]


# What is refused

WRONG_TYPE = "The request include parameter that is not valid for this queue type."


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"MessageGroupId": None}, "MissingParameter", "The request must contain the parameter MessageGroupId."),
        (
            {},
            "InvalidParameterValue",
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly",
        ),
        (
            {"MessageDeduplicationId": "1", "DelaySeconds": 5},
            "InvalidParameterValue",
            f"Value 5 for parameter DelaySeconds is invalid. Reason: {WRONG_TYPE}",
        ),
        (
            {"MessageDeduplicationId": "1 2"},
            "InvalidParameterValue",
            "Value 1 2 for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only "
            "include alphanumeric and punctuation characters. 1 to 128 in length.",
        ),
        (
            {"MessageGroupId": "ü"},
            "InvalidParameterValue",
            "Value ü for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and "
            "punctuation characters. 1 to 128 in length.",
        ),
    ],
)
def test_a_send_that_a_fifo_queue_does_not_take(
    sqs: Any, new_fifo: NewFifo, arguments: dict[str, Any], code: str, message: str
) -> None:
    given = {name: value for name, value in ({"MessageGroupId": "g"} | arguments).items() if value is not None}
    url = new_fifo()
    assert refusal(sqs.send_message, QueueUrl=url, MessageBody="x", **given) == (code, 400, message)
    entries = [
        {"Id": "bad", "MessageBody": "x"} | given,
        {"Id": "good", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "good", "DelaySeconds": 0},
    ]
    if not given.keys() >= {"MessageGroupId", "MessageDeduplicationId"}:
        # AWS refuses the whole batch for it.
        assert refusal(sqs.send_message_batch, QueueUrl=url, Entries=entries)[:2] == ("InvalidParameterValue", 400)
        return
    result = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    [failed], [sent] = result["Failed"], result["Successful"]
    assert (failed["Id"], failed["Code"], failed["Message"], sent["Id"]) == ("bad", code, message, "good")


def test_what_is_for_fifo_queues_alone(sqs: Any, queue: str) -> None:
    told = f"Value 1 for parameter %s is invalid. Reason: {WRONG_TYPE}"
    send_refused = refusal(sqs.send_message, QueueUrl=queue, MessageBody="x", MessageDeduplicationId="1")
    assert send_refused == ("InvalidParameterValue", 400, told % "MessageDeduplicationId")
    receive_refused = refusal(sqs.receive_message, QueueUrl=queue, ReceiveRequestAttemptId="1")
    assert receive_refused == ("InvalidParameterValue", 400, told % "ReceiveRequestAttemptId")
    name = queue.rpartition("/")[2]
    change = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"ContentBasedDeduplication": "true"})
    assert change == ("InvalidAttributeName", 400, "Unknown Attribute ContentBasedDeduplication.")
    made = refusal(sqs.create_queue, QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})
    assert made[0] == "QueueAlreadyExists"


def test_names_and_attributes_must_agree(sqs: Any) -> None:
    name = queue_name()
    plain = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    assert refusal(sqs.create_queue, QueueName=f"{name}.fifo") == ("InvalidParameterValue", 400, plain)
    code, _, message = refusal(sqs.create_queue, QueueName=name, Attributes={"FifoQueue": "true"})
    assert code == "InvalidParameterValue"
    assert message.startswith("The name of a FIFO queue can only include alphanumeric characters")
    too_long = "x" * 76 + ".fifo"
    assert refusal(sqs.create_queue, QueueName=too_long, Attributes={"FifoQueue": "true"})[0] == "InvalidParameterValue"
    unknown = refusal(sqs.create_queue, QueueName=name, Attributes={"FifoQueue": "false"})
    assert unknown == ("InvalidAttributeName", 400, "Unknown Attribute FifoQueue.")
    limit = {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}
    assert refusal(sqs.create_queue, QueueName=f"{name}.fifo", Attributes=limit)[0] == "InvalidAttributeValue"


def test_a_receipt_that_does_not_hold_any_more(sqs: Any, fifo: str) -> None:
    send(sqs, fifo, "a")
    [old] = receive(sqs, fifo, VisibilityTimeout=0, ReceiveRequestAttemptId="1")
    assert len(receive(sqs, fifo)) == 1
    code, status, message = refusal(sqs.delete_message, QueueUrl=fifo, ReceiptHandle=old["ReceiptHandle"])
    assert (code, status) == ("InvalidParameterValue", 400)
    handle = old["ReceiptHandle"]
    assert message == f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."


def test_any_key_of_a_fifo_queue_is_named_without_the_suffix(keyed: Callable[..., Any]) -> None:
    name = queue_name()
    pool = keyed("BrokerPool", "default")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = pool.create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"]
    assert url.endswith(f"/{ACCOUNT}/{name}.fifo")
    own = keyed("Queue", name)
    send(own, url, "a")
    assert bodies(receive(own, url)) == ["a"]
    assert refusal(keyed("Queue", queue_name()).send_message, QueueUrl=url, MessageBody="x")[0] == "AccessDenied"
