"""Queue attributes ↔ QueueSpec. docs/sqs.md has the table.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct
from pydantic import ValidationError

from quintet_api.queue import QueueSpec, sqs_name
from quintet_broker.protocols.aws.errors import INVALID_VALUE, AwsError
from quintet_broker.protocols.sqs.errors import INVALID_ATTRIBUTE_NAME, INVALID_ATTRIBUTE_VALUE, UNSUPPORTED
from quintet_broker.protocols.sqs.names import SUFFIX, plain
from quintet_broker.services.queue import Queue
from quintet_broker.services.spec import Patch, patched

REGION = "us-east-1"
"""Shown in ARNs; any region is accepted."""

DURATIONS = {
    "DelaySeconds": "deliveryDelay",
    "MessageRetentionPeriod": "messageRetention",
    "ReceiveMessageWaitTimeSeconds": "receiveWaitTime",
    "VisibilityTimeout": "visibilityTimeout",
}
"""Attribute, in seconds → field of the spec."""
SIZE = {"MaximumMessageSize": "maxMessageSize"}
NEUTRAL = {
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "Policy": "",
    "RedriveAllowPolicy": "",
    "SqsManagedSseEnabled": "false",
}
"""What is not supported yet → the value that asks for nothing, which is taken."""
SCOPES: dict[str, Literal["Queue", "Group"]] = {"queue": "Queue", "messageGroup": "Group"}
FIFO = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": tuple(SCOPES),
    "FifoQueue": ("true",),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
"""Attributes of FIFO queues → their values."""
COUNTS = {
    "ApproximateNumberOfMessages": "visible",
    "ApproximateNumberOfMessagesDelayed": "delayed",
    "ApproximateNumberOfMessagesNotVisible": "in_flight",
}
READ_ONLY = frozenset([*COUNTS, "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn"])
KNOWN = frozenset([*DURATIONS, *SIZE, *NEUTRAL, *FIFO, *READ_ONLY, "All", "RedrivePolicy"])

_ATTRIBUTES = {field: name for name, field in (DURATIONS | SIZE).items()} | {"deadLetter": "RedrivePolicy"}


class Redrive(Struct, rename="camel"):
    """A RedrivePolicy."""

    dead_letter_target_arn: str
    max_receive_count: int


def arn(account: str, name: str, spec: QueueSpec) -> str:
    """The ARN of a queue of that ordering."""
    return f"arn:aws:sqs:{REGION}:{account}:{sqs_name(name, spec.ordering)}"


def patch(spec: QueueSpec, attributes: Mapping[str, str], account: str) -> Patch:
    """What these attributes change in a spec. Raises AwsError."""
    fields = _fifo_patch(spec, attributes)
    is_fifo = fields.get("ordering", spec.ordering) == "Fifo"
    for name, value in attributes.items():
        if name in DURATIONS:
            fields[DURATIONS[name]] = f"{_number(name, value)}s"
        elif name in SIZE:
            fields[SIZE[name]] = _number(name, value)
        elif name == "RedrivePolicy":
            fields["deadLetter"] = _dead_letter(value, account, is_fifo)
        elif name in NEUTRAL:
            if value != NEUTRAL[name]:
                raise AwsError(UNSUPPORTED, f"The attribute {name} is not supported yet.")
        elif name not in FIFO:
            raise _unknown(name)
    _validate(patched(spec, fields))
    return fields


def _fifo_patch(spec: QueueSpec, attributes: Mapping[str, str]) -> Patch:
    """What the attributes of FIFO queues change."""
    given = {name: value for name, value in attributes.items() if name in FIFO}
    fields: Patch = {}
    if "FifoQueue" in given:
        if given.pop("FifoQueue") != "true":
            raise _unknown("FifoQueue")
        fields["ordering"] = "Fifo"
    if given and fields.get("ordering", spec.ordering) != "Fifo":
        raise _unknown(min(given))
    for name, value in given.items():
        if value not in FIFO[name]:
            raise _bad_value(name, f"it must be one of {', '.join(FIFO[name])}")
    changes: Patch = {}
    if content_based := given.get("ContentBasedDeduplication"):
        changes["contentBased"] = content_based == "true"
    if scope := given.get("DeduplicationScope"):
        changes["scope"] = SCOPES[scope]
    if (
        given.get("FifoThroughputLimit") == "perMessageGroupId"
        and changes.get("scope", spec.deduplication.scope) != "Group"
    ):
        raise _bad_value("FifoThroughputLimit", "perMessageGroupId needs DeduplicationScope messageGroup")
    if changes:
        fields["deduplication"] = changes
    return fields


def _unknown(name: str) -> AwsError:
    return AwsError(INVALID_ATTRIBUTE_NAME, f"Unknown Attribute {name}.")


def _number(name: str, value: str) -> int:
    if not re.fullmatch("[0-9]{1,8}", value):
        raise _bad_value(name, "it must be a whole number within its bounds")
    return int(value)


def _dead_letter(policy: str, account: str, is_fifo: bool) -> dict[str, Any] | None:
    if not policy:
        return None
    try:
        redrive = msgspec.json.decode(policy, type=Redrive, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad_redrive(
            policy, f"It is JSON with deadLetterTargetArn and maxReceiveCount, which this is not: {error}"
        ) from error
    target = re.fullmatch(rf"arn:[^:]+:sqs:[^:]*:{account}:([^:]+)", redrive.dead_letter_target_arn)
    if not target:
        raise _bad_redrive(policy, f"deadLetterTargetArn must be arn:aws:sqs:{REGION}:{account}:<queue>")
    if target[1].endswith(SUFFIX) != is_fifo:
        raise _bad_redrive(policy, "The dead-letter queue of a FIFO queue must be one too, and of no other queue")
    if not 1 <= redrive.max_receive_count <= 1000:
        raise _bad_redrive(policy, "maxReceiveCount must be from 1 to 1000")
    return {"queue": plain(target[1]), "maxReceives": redrive.max_receive_count}


def _validate(fields: Mapping[str, Any]) -> None:
    try:
        QueueSpec.model_validate(fields)
    except ValidationError as error:
        found = error.errors()[0]
        reason = found["msg"].removeprefix("Value error, ")
        raise _bad_value(_ATTRIBUTES.get(str(found["loc"][0]), str(found["loc"][0])), reason) from error


def _bad_value(name: str, reason: str) -> AwsError:
    return AwsError(INVALID_ATTRIBUTE_VALUE, f"Invalid value for the parameter {name}: {reason}.")


def _bad_redrive(policy: str, reason: str) -> AwsError:
    return AwsError(INVALID_VALUE, f"Value {policy[:1000]} for parameter RedrivePolicy is invalid. Reason: {reason}.")


async def shown(queue: Queue, names: Sequence[str], account: str) -> dict[str, str]:
    """The attributes that were asked for, `All` of them if so. Raises AwsError."""
    for name in names:
        if name not in KNOWN:
            raise _unknown(name)
    every = _settings(queue, account)
    if "All" in names or not COUNTS.keys().isdisjoint(names):
        counts = await queue.counts()
        every |= {name: str(getattr(counts, field)) for name, field in COUNTS.items()}
    return every if "All" in names else {name: every[name] for name in names if name in every}


def _settings(queue: Queue, account: str) -> dict[str, str]:
    spec = queue.spec
    settings = {
        "CreatedTimestamp": str(queue.created_at),
        "DelaySeconds": _seconds(spec.delivery_delay),
        "LastModifiedTimestamp": str(queue.modified_at),
        "MaximumMessageSize": str(spec.max_message_size),
        "MessageRetentionPeriod": _seconds(spec.message_retention),
        "QueueArn": arn(account, queue.name, spec),
        "ReceiveMessageWaitTimeSeconds": _seconds(spec.receive_wait_time),
        "SqsManagedSseEnabled": NEUTRAL["SqsManagedSseEnabled"],
        "VisibilityTimeout": _seconds(spec.visibility_timeout),
    }
    if spec.dead_letter:
        redrive = Redrive(arn(account, spec.dead_letter.queue, spec), spec.dead_letter.max_receives)
        settings["RedrivePolicy"] = msgspec.json.encode(redrive).decode()
    return settings | _fifo_settings(spec) if spec.ordering == "Fifo" else settings


def _fifo_settings(spec: QueueSpec) -> dict[str, str]:
    is_of_group = spec.deduplication.scope == "Group"
    return {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "true" if spec.deduplication.content_based else "false",
        "DeduplicationScope": "messageGroup" if is_of_group else "queue",
        "FifoThroughputLimit": "perMessageGroupId" if is_of_group else "perQueue",
    }


def _seconds(duration: timedelta) -> str:
    return str(round(duration.total_seconds()))
