"""Unmodified clients of SQS, and what tests ask of them."""

import itertools
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conformance.sqs import query_client

ACCOUNT = "000000000000"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=40)
SESSIONS = {"json": boto3.Session(), "query": query_client.session()}

_numbers = itertools.count()


def client(url: str, protocol: str = "json", key: str = "anybody", secret: str = "anything") -> Any:
    """A boto3 client of SQS that does not retry."""
    return SESSIONS[protocol].client(
        "sqs",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=CONFIG,
    )


def queue_name() -> str:
    """One that no other test has."""
    return f"sqs-{next(_numbers)}"


def refusal(verb: Callable[..., Any], **arguments: Any) -> tuple[str, int, str]:
    """(code, status, message) of what must be refused."""
    with pytest.raises(ClientError) as caught:
        verb(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def receive(sqs: Any, queue: str, **arguments: Any) -> list[Any]:
    """What comes within the longest wait."""
    arguments = {"WaitTimeSeconds": 20, "MaxNumberOfMessages": 10} | arguments
    messages: list[Any] = sqs.receive_message(QueueUrl=queue, **arguments).get("Messages", [])
    return messages


def nothing(sqs: Any, queue: str) -> bool:
    """Whether there is nothing to receive now."""
    return receive(sqs, queue, WaitTimeSeconds=0) == []
