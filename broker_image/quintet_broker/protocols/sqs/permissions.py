"""AddPermission and RemovePermission: statements of a queue's Policy, by their labels."""

import json
import re
from typing import Any

from quintet_broker.protocols.aws.errors import INVALID_VALUE, MISSING_PARAMETER, AwsError
from quintet_broker.protocols.sqs import attributes, codec, errors, names, redrive
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.protocols.sqs.policy import ACTIONS, MAX_STATEMENTS, BadPolicy, principal_of
from quintet_broker.services.queue import Queue

MAX_ACTIONS = 7
"""In one AddPermission."""

_LABEL = re.compile("[A-Za-z0-9_-]{1,80}")


async def add_permission(call: Call, queue: Queue, asked: codec.AddPermission) -> None:
    """Allow others some actions on a run-time queue."""
    if not _LABEL.fullmatch(asked.label):
        raise _bad(asked.label, "Label", "It has 1 to 80 letters, digits, hyphens and underscores")
    for name, given in ("AWSAccountIds", asked.aws_account_ids), ("Actions", asked.actions):
        if not given:
            raise AwsError(MISSING_PARAMETER, f"The request must contain the parameter {name}.")
    arn = redrive.arn(call.account, queue.name, queue.spec)
    document = _document(queue, arn)
    if any(statement.get("Sid") == asked.label for statement in document["Statement"]):
        raise _bad(asked.label, "Label", "Already exists")
    if len(asked.actions) > MAX_ACTIONS or len(document["Statement"]) >= MAX_STATEMENTS:
        most = f"{MAX_STATEMENTS} statements, each with {MAX_ACTIONS} actions"
        raise AwsError(errors.OVER_LIMIT, f"A queue's policy has at most {most}.")
    document["Statement"].append(
        {
            "Sid": asked.label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all([_principal(one, call.account) for one in asked.aws_account_ids])},
            "Action": _one_or_all([_action(one) for one in asked.actions]),
            "Resource": arn,
        }
    )
    await _keep(call, queue, json.dumps(document))


async def remove_permission(call: Call, queue: Queue, asked: codec.RemovePermission) -> None:
    """Take back what was allowed under a label."""
    document = _document(queue, redrive.arn(call.account, queue.name, queue.spec))
    left = [statement for statement in document["Statement"] if statement.get("Sid") != asked.label]
    if len(left) == len(document["Statement"]):
        raise _bad(asked.label, "Label", "can't find label")
    await _keep(call, queue, json.dumps(document | {"Statement": left}) if left else "")


async def _keep(call: Call, queue: Queue, policy: str) -> None:
    changes = attributes.changes(queue.spec, queue.extras, {"Policy": policy}, call.account, names.shown(queue))
    await call.topology.update_queue(queue.name, {}, changes.extras, unless_changed=queue.extras)


def _document(queue: Queue, arn: str) -> dict[str, Any]:
    """The queue's policy, or a new one, with a list of statements."""
    text = queue.extras.attributes.get("Policy")
    if text is None:
        return {"Version": "2008-10-17", "Id": f"{arn}/SQSDefaultPolicy", "Statement": []}
    document: dict[str, Any] = json.loads(text)
    found = document["Statement"]
    return document | {"Statement": list(found) if isinstance(found, list) else [found]}


def _principal(text: str, account: str) -> str:
    try:
        principal_of(text, account)
    except BadPolicy as error:
        raise _bad(text, "PrincipalId", "Unable to verify") from error
    if text.startswith("arn:") or text == "*":
        return text
    return f"arn:aws:iam::{text}:root" if text.isdigit() else f"arn:aws:iam::{account}:user/{text}"


def _action(name: str) -> str:
    if name != "*" and name not in ACTIONS:
        reason = "Please refer to the appropriate WSDL for a list of valid actions. "
        raise AwsError(INVALID_VALUE, f"Value SQS:{name[:100]} for parameter ActionName is invalid. Reason: {reason}")
    return f"SQS:{name}"


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _bad(value: str, name: str, reason: str) -> AwsError:
    return AwsError(INVALID_VALUE, f"Value {value[:300]} for parameter {name} is invalid. Reason: {reason}.")
