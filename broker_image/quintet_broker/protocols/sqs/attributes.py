"""Queue attributes ↔ QueueSpec and what is kept beside it. docs/sqs.md has the table.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct
from pydantic import ValidationError

from quintet_api.queue import QueueSpec
from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs import own_attributes, redrive
from quintet_broker.protocols.sqs.errors import INVALID_ATTRIBUTE_NAME, INVALID_ATTRIBUTE_VALUE
from quintet_broker.services import extras as kept
from quintet_broker.services.extras import Extras
from quintet_broker.services.queue import Queue
from quintet_broker.services.spec import Patch, parse, patched

DURATIONS = {
    "DelaySeconds": "deliveryDelay",
    "MessageRetentionPeriod": "messageRetention",
    "ReceiveMessageWaitTimeSeconds": "receiveWaitTime",
    "VisibilityTimeout": "visibilityTimeout",
}
"""Attribute, in seconds → field of the spec."""
SIZE = {"MaximumMessageSize": "maxMessageSize"}
SCOPES: dict[str, Literal["Queue", "Group"]] = {"queue": "Queue", "messageGroup": "Group"}
FIFO = ("ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", own_attributes.LIMIT)
"""Attributes of FIFO queues alone."""
COUNTS = {
    "ApproximateNumberOfMessages": "visible",
    "ApproximateNumberOfMessagesDelayed": "delayed",
    "ApproximateNumberOfMessagesNotVisible": "in_flight",
}
READ_ONLY = frozenset([*COUNTS, "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn"])
SETTABLE = frozenset([*DURATIONS, *SIZE, *FIFO, *own_attributes.NEUTRAL, "RedrivePolicy"])
KNOWN = SETTABLE | READ_ONLY | {"All"}

_ATTRIBUTES = {field: name for name, field in (DURATIONS | SIZE).items()} | {"deadLetter": "RedrivePolicy"}


class Changes(Struct, frozen=True):
    """What attributes change."""

    spec: Patch
    extras: Patch


# In


def changes(
    spec: QueueSpec, extras: Extras, attributes: Mapping[str, str], account: str, queue: str, *, is_new: bool = False
) -> Changes:
    """What these attributes change in a queue, by the name that SQS has for it. Raises AwsError."""
    for name in attributes:
        if name not in SETTABLE:
            raise _unknown(name)
    fields = _fifo_patch(spec, attributes, is_new)
    is_fifo = fields.get("ordering", spec.ordering) == "Fifo"
    for name, value in attributes.items():
        if name in DURATIONS:
            fields[DURATIONS[name]] = f"{_number(name, value)}s"
        elif name in SIZE:
            fields[SIZE[name]] = _number(name, value)
        elif name == "RedrivePolicy":
            fields["deadLetter"] = redrive.dead_letter(value, account, is_fifo)
    wanted = _checked(patched(spec, fields))
    found = Changes(fields, own_attributes.changes(attributes, account, queue))
    limit = kept.changed(extras, found.extras).attributes.get(own_attributes.LIMIT)
    if limit == "perMessageGroupId" and wanted.deduplication.scope != "Group":
        raise _bad_value(own_attributes.LIMIT, "perMessageGroupId needs DeduplicationScope messageGroup")
    return found


def _fifo_patch(spec: QueueSpec, attributes: Mapping[str, str], is_new: bool) -> Patch:
    """What the attributes of FIFO queues change."""
    given = {name: attributes[name] for name in FIFO if name in attributes}
    fields: Patch = {}
    if "FifoQueue" in given:
        _check_type(given.pop("FifoQueue").lower(), spec, is_new)
        fields["ordering"] = "Fifo"
    if given and fields.get("ordering", spec.ordering) != "Fifo":
        raise _only_of_fifo(min(given))
    deduplication: Patch = {}
    if content_based := given.get("ContentBasedDeduplication"):
        of_content = _one_of("ContentBasedDeduplication", content_based.lower(), ["true", "false"])
        deduplication["contentBased"] = of_content == "true"
    if scope := given.get("DeduplicationScope"):
        deduplication["scope"] = SCOPES[_one_of("DeduplicationScope", scope, list(SCOPES))]
    if deduplication:
        fields["deduplication"] = deduplication
    return fields


def _check_type(is_fifo: str, spec: QueueSpec, is_new: bool) -> None:
    """Of a FifoQueue attribute: a queue's type never changes, and only a FIFO queue has one."""
    if is_new or spec.ordering == "Standard":
        if is_fifo != "true" or not is_new:
            raise _unknown("FifoQueue")
    elif is_fifo != "true":
        raise _bad_value("FifoQueue", "Modifying queue type is not supported")


def _only_of_fifo(name: str) -> AwsError:
    if name == "ContentBasedDeduplication":
        return _unknown(name)
    return AwsError(INVALID_ATTRIBUTE_NAME, f"You can specify the {name} only when FifoQueue is set to true.")


def _one_of(name: str, value: str, values: Sequence[str]) -> str:
    if value not in values:
        raise _bad_value(name, f"It must be one of {', '.join(values)}")
    return value


def _unknown(name: str) -> AwsError:
    return AwsError(INVALID_ATTRIBUTE_NAME, f"Unknown Attribute {name[:100]}.")


def _number(name: str, value: str) -> int:
    if not re.fullmatch("[0-9]{1,8}", value):
        raise _bad_value(name, "It must be a whole number within its bounds")
    return int(value)


def _checked(fields: Mapping[str, Any]) -> QueueSpec:
    try:
        return QueueSpec.model_validate(fields)
    except ValidationError as error:
        found = error.errors()[0]
        reason = found["msg"].removeprefix("Value error, ")
        raise _bad_value(_ATTRIBUTES.get(str(found["loc"][0]), str(found["loc"][0])), reason) from error


def _bad_value(name: str, reason: str) -> AwsError:
    return AwsError(INVALID_ATTRIBUTE_VALUE, f"Invalid value for the parameter {name}. Reason: {reason}.")


def different(queue: Queue, attributes: Mapping[str, str], wanted: Changes, account: str) -> str | None:
    """The first attribute in which a queue is not as it is wanted."""
    has = settings(queue.spec, queue.extras, account)
    wants = settings(parse(patched(queue.spec, wanted.spec)), kept.changed(queue.extras, wanted.extras), account)
    return next((name for name in attributes if has.get(name) != wants.get(name)), None)


# Out


async def shown(queue: Queue, names: Sequence[str], account: str) -> dict[str, str]:
    """The attributes that were asked for, `All` of them if so. Raises AwsError."""
    for name in names:
        if name not in KNOWN:
            raise _unknown(name)
    every = settings(queue.spec, queue.extras, account) | {
        "CreatedTimestamp": str(queue.created_at),
        "LastModifiedTimestamp": str(queue.modified_at),
        "QueueArn": redrive.arn(account, queue.name, queue.spec),
    }
    if "All" in names or not COUNTS.keys().isdisjoint(names):
        counts = await queue.counts()
        every |= {name: str(getattr(counts, field)) for name, field in COUNTS.items()}
    return every if "All" in names else {name: every[name] for name in names if name in every}


def settings(spec: QueueSpec, extras: Extras, account: str) -> dict[str, str]:
    """What can be set, as it is."""
    is_fifo = spec.ordering == "Fifo"
    found = {
        "DelaySeconds": _seconds(spec.delivery_delay),
        "MaximumMessageSize": str(spec.max_message_size),
        "MessageRetentionPeriod": _seconds(spec.message_retention),
        "ReceiveMessageWaitTimeSeconds": _seconds(spec.receive_wait_time),
        "VisibilityTimeout": _seconds(spec.visibility_timeout),
        **redrive.told(spec, account),
        **own_attributes.shown(extras, is_fifo),
    }
    if is_fifo:
        found |= {
            "FifoQueue": "true",
            "ContentBasedDeduplication": "true" if spec.deduplication.content_based else "false",
            "DeduplicationScope": "messageGroup" if spec.deduplication.scope == "Group" else "queue",
        }
    return found


def _seconds(duration: timedelta) -> str:
    return str(round(duration.total_seconds()))
