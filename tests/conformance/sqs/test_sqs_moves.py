"""Dead-letter queues and the way back out of them, with unmodified boto3."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.sqs.clients import ARN, queue_name, receive, refusal

NewQueue = Callable[..., str]
TIMEOUT = 60
"""Seconds."""
MORE = 100
"""Messages that take as many seconds to be moved one a second."""


def arn(url: str) -> str:
    return ARN + url.rpartition("/")[2]


@pytest.fixture
def dead(sqs: Any, queue: str, new_queue: NewQueue) -> str:
    """The dead-letter queue of `queue`, with three messages that came from there."""
    dead = new_queue()
    policy = {"deadLetterTargetArn": arn(dead), "maxReceiveCount": "1"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(policy)})
    for body in "abc":
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    receive(sqs, queue, VisibilityTimeout=0)
    until(lambda: waiting(sqs, dead) == 3)
    return dead


def waiting(sqs: Any, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def last_task(sqs: Any, dead: str) -> Any:
    (task,) = sqs.list_message_move_tasks(SourceArn=arn(dead))["Results"]
    return task


def test_messages_go_back_to_where_they_came_from(sqs: Any, queue: str, dead: str) -> None:
    assert sqs.list_message_move_tasks(SourceArn=arn(dead)).get("Results", []) == []
    assert sqs.start_message_move_task(SourceArn=arn(dead))["TaskHandle"]
    until(lambda: last_task(sqs, dead)["Status"] == "COMPLETED")
    task = last_task(sqs, dead)
    assert (task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]) == (3, 3)
    assert (task["SourceArn"], "TaskHandle" in task) == (arn(dead), False)
    assert [message["Body"] for message in receive(sqs, queue)] == ["a", "b", "c"]


def test_messages_go_to_another_queue_at_a_rate_until_that_is_stopped(
    sqs: Any, queue: str, dead: str, new_queue: NewQueue
) -> None:
    other = new_queue()
    for _ in range(MORE // 10):
        entries = [{"Id": str(number), "MessageBody": "x"} for number in range(10)]
        sqs.send_message_batch(QueueUrl=dead, Entries=entries)
    handle = sqs.start_message_move_task(
        SourceArn=arn(dead), DestinationArn=arn(other), MaxNumberOfMessagesPerSecond=1
    )["TaskHandle"]
    task = last_task(sqs, dead)
    assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
    assert task["MaxNumberOfMessagesPerSecond"] == 1
    code, _, message = refusal(sqs.start_message_move_task, SourceArn=arn(dead))
    assert (code, "already a task" in message) == ("InvalidParameterValue", True)
    moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    assert 0 < moved < MORE
    until(lambda: last_task(sqs, dead)["Status"] == "CANCELLED")
    task = last_task(sqs, dead)
    assert (task["DestinationArn"], task["ApproximateNumberOfMessagesMoved"]) == (arn(other), moved)
    assert task["ApproximateNumberOfMessagesToMove"] == MORE + 3
    assert waiting(sqs, other) == moved
    gone = refusal(sqs.cancel_message_move_task, TaskHandle=handle)
    assert gone == ("ResourceNotFoundException", 404, "Task does not exist.")


def test_the_last_tasks_are_listed_the_newest_first(sqs: Any, dead: str) -> None:
    for moved in (3, 0):
        sqs.start_message_move_task(SourceArn=arn(dead))
        until(lambda: last_task(sqs, dead)["Status"] == "COMPLETED")
        assert last_task(sqs, dead)["ApproximateNumberOfMessagesMoved"] == moved
    tasks = sqs.list_message_move_tasks(SourceArn=arn(dead), MaxResults=10)["Results"]
    assert [task["ApproximateNumberOfMessagesMoved"] for task in tasks] == [0, 3]
    assert all("DestinationArn" not in task for task in tasks)
    for most in 0, 11:
        asked = {"SourceArn": arn(dead), "MaxResults": most}
        assert refusal(sqs.list_message_move_tasks, **asked)[0] == "InvalidParameterValue"


def test_the_sources_of_a_dead_letter_queue_are_listed(sqs: Any, queue: str, dead: str, new_queue: NewQueue) -> None:
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1})
    urls = sorted([queue, *(new_queue(RedrivePolicy=policy) for _ in range(4))])
    pages = sqs.get_paginator("list_dead_letter_source_queues").paginate(
        QueueUrl=dead, PaginationConfig={"PageSize": 2}
    )
    assert [page["queueUrls"] for page in pages] == [urls[:2], urls[2:4], urls[4:]]
    assert refusal(sqs.list_dead_letter_source_queues, QueueUrl=dead, MaxResults=0)[0] == "InvalidParameterValue"


def test_what_cannot_be_moved_is_refused(sqs: Any, queue: str) -> None:
    missing = {"SourceArn": ARN + queue_name()}, {"SourceArn": arn(queue), "DestinationArn": ARN + queue_name()}
    for asked in missing:
        *_, parameter = asked
        text = f"The resource that you specified for the {parameter} parameter doesn't exist."
        assert refusal(sqs.start_message_move_task, **asked) == ("ResourceNotFoundException", 404, text)
    assert refusal(sqs.start_message_move_task, SourceArn="orders")[0] == "InvalidParameterValue"
    code, _, message = refusal(sqs.start_message_move_task, SourceArn=arn(queue))
    assert (code, "Dead Letter Queue" in message) == ("InvalidParameterValue", True)
    rate = {"SourceArn": arn(queue), "MaxNumberOfMessagesPerSecond": 501}
    assert refusal(sqs.start_message_move_task, **rate)[0] == "InvalidParameterValue"
    assert refusal(sqs.cancel_message_move_task, TaskHandle="nonsense")[0] == "InvalidParameterValue"
