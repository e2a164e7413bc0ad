"""Tags of queues with unmodified boto3."""

from typing import Any

import pytest

from tests.conformance.sqs.clients import queue_name, refusal


def tags(sqs: Any, url: str) -> dict[str, str]:
    found: dict[str, str] = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    return found


def test_tags_come_change_and_go(sqs: Any, queue: str) -> None:
    assert tags(sqs, queue) == {}
    sqs.tag_queue(QueueUrl=queue, Tags={"team": "blue", "stage": "test", "empty": ""})
    sqs.tag_queue(QueueUrl=queue, Tags={"team": "red"})
    assert tags(sqs, queue) == {"team": "red", "stage": "test", "empty": ""}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["stage", "empty", "never-there"])
    assert tags(sqs, queue) == {"team": "red"}


def test_a_queue_is_made_with_tags_which_a_second_creation_leaves_alone(sqs: Any) -> None:
    name = queue_name()
    url = sqs.create_queue(QueueName=name, tags={"team": "blue"})["QueueUrl"]
    assert sqs.create_queue(QueueName=name, tags={"team": "red"})["QueueUrl"] == url
    assert tags(sqs, url) == {"team": "blue"}


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("InvalidParameterValue", {"aws:team": "blue"}),
        ("InvalidParameterValue", {"team": "x" * 257}),
        ("InvalidParameterValue", {f"n{number}": "" for number in range(51)}),
    ],
)
def test_refused_tags(sqs: Any, queue: str, code: str, given: dict[str, str]) -> None:
    assert refusal(sqs.tag_queue, QueueUrl=queue, Tags=given)[:2] == (code, 400)
    assert refusal(sqs.create_queue, QueueName=queue_name(), tags=given)[:2] == (code, 400)
    assert tags(sqs, queue) == {}


def test_no_tags(sqs: Any, queue: str) -> None:
    assert refusal(sqs.tag_queue, QueueUrl=queue, Tags={})[:2] == ("MissingParameter", 400)
    assert refusal(sqs.untag_queue, QueueUrl=queue, TagKeys=[])[:2] == ("MissingParameter", 400)
