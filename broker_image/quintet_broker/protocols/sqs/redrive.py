"""RedrivePolicy and RedriveAllowPolicy: which queue takes dead letters, and whose."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from quintet_api.queue import QueueSpec, sqs_name
from quintet_broker.protocols.aws.errors import INVALID_VALUE, AwsError
from quintet_broker.protocols.sqs.errors import INVALID_ATTRIBUTE_VALUE
from quintet_broker.protocols.sqs.names import SUFFIX, plain
from quintet_broker.services.extras import Extras

REGION = "us-east-1"
"""Shown in ARNs; any region is accepted."""
ALLOW = "RedriveAllowPolicy"
MAX_RECEIVES = 1000
MAX_SOURCES = 10

ARN = re.compile(r"arn:[^:]+:sqs:[^:]*:([0-9]{12}):([A-Za-z0-9_-]{1,80}(?:\.fifo)?)")
"""Of a queue: its account, and its name as SQS has it."""


class Redrive(Struct, rename="camel"):
    """A RedrivePolicy."""

    dead_letter_target_arn: str
    max_receive_count: int


class Allowed(Struct, rename="camel", forbid_unknown_fields=True):
    """A RedriveAllowPolicy."""

    redrive_permission: Literal["allowAll", "denyAll", "byQueue"]
    source_queue_arns: list[str] = []


def arn(account: str, name: str, spec: QueueSpec) -> str:
    """The ARN of a queue of that ordering."""
    return f"arn:aws:sqs:{REGION}:{account}:{sqs_name(name, spec.ordering)}"


def dead_letter(policy: str, account: str, is_fifo: bool) -> dict[str, Any] | None:
    """The spec's deadLetter of a RedrivePolicy; None where that is empty. Raises AwsError."""
    if not policy:
        return None
    redrive = _read(policy)
    target = ARN.fullmatch(redrive.dead_letter_target_arn)
    if not target:
        raise bad(policy, f"deadLetterTargetArn must be arn:aws:sqs:{REGION}:{account}:<queue>")
    if target[1] != account:
        raise bad(policy, "Dead-letter target owner should be same as the source")
    if target[2].endswith(SUFFIX) != is_fifo:
        raise bad(policy, "Dead-letter queue must be same type of queue as the source")
    if not 1 <= redrive.max_receive_count <= MAX_RECEIVES:
        raise bad(
            policy,
            f"Invalid value for maxReceiveCount: {redrive.max_receive_count}, valid values are from 1 to "
            f"{MAX_RECEIVES} both inclusive",
        )
    return {"queue": plain(target[2]), "maxReceives": redrive.max_receive_count}


def _read(policy: str) -> Redrive:
    try:
        fields = msgspec.json.decode(policy, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad(policy, "Redrive policy is not a valid JSON map") from error
    for name in "deadLetterTargetArn", "maxReceiveCount":
        if name not in fields:
            raise bad(policy, f"Redrive policy does not contain mandatory attribute: {name}")
    try:
        return msgspec.convert(fields, Redrive, strict=False)
    except msgspec.ValidationError as error:
        raise bad(policy, str(error)) from error


def check_allow_policy(policy: str) -> None:
    """Raises AwsError."""
    try:
        allowed = msgspec.json.decode(policy, type=Allowed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad_allow(str(error)) from error
    if (allowed.redrive_permission == "byQueue") != bool(allowed.source_queue_arns):
        raise _bad_allow("sourceQueueArns is for byQueue, which needs one at least")
    if len(allowed.source_queue_arns) > MAX_SOURCES:
        raise _bad_allow(f"sourceQueueArns has more than {MAX_SOURCES} queues")
    for source in allowed.source_queue_arns:
        if not ARN.fullmatch(source):
            raise _bad_allow(f"{source} is no ARN of a queue")


def allows(target: Extras, account: str, source: str) -> bool:
    """Whether a dead-letter queue takes what comes from a queue, by the name that SQS has for it."""
    policy = target.attributes.get(ALLOW)
    if policy is None:
        return True
    allowed = msgspec.json.decode(policy, type=Allowed)
    if allowed.redrive_permission != "byQueue":
        return allowed.redrive_permission == "allowAll"
    return any(one.split(":")[4:] == [account, source] for one in allowed.source_queue_arns)


def told(spec: QueueSpec, account: str) -> Mapping[str, str]:
    """The RedrivePolicy of a queue, if it has one."""
    if not spec.dead_letter:
        return {}
    redrive = Redrive(arn(account, spec.dead_letter.queue, spec), spec.dead_letter.max_receives)
    return {"RedrivePolicy": msgspec.json.encode(redrive).decode()}


def bad(policy: str, reason: str) -> AwsError:
    """Of a RedrivePolicy."""
    return AwsError(INVALID_VALUE, f"Value {policy[:1000]} for parameter RedrivePolicy is invalid. Reason: {reason}.")


def _bad_allow(reason: str) -> AwsError:
    return AwsError(INVALID_ATTRIBUTE_VALUE, f"Invalid value for the parameter {ALLOW}. Reason: {reason}.")
