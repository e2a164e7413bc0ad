"""A queue's Policy as its rules. What it can say here stands in docs/sqs.md.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from quintet_api.credentials import holder, parse_key_id
from quintet_broker.services.permissions import Rule, Verb

MAX_BYTES = 8192
MAX_STATEMENTS = 20

ACTIONS: dict[str, Verb] = {
    "ChangeMessageVisibility": "extend",
    "DeleteMessage": "acknowledge",
    "GetQueueAttributes": "describe",
    "GetQueueUrl": "locate",
    "ListDeadLetterSourceQueues": "list_sources",
    "PurgeQueue": "purge",
    "ReceiveMessage": "receive",
    "SendMessage": "send",
}
"""What may be allowed to others, as on AWS."""
OWNERS_ACTIONS = frozenset(
    [
        "AddPermission",
        "CancelMessageMoveTask",
        "CreateQueue",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "ListQueues",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    ]
)
"""What stays the pool's key's, whatever a policy says."""

_NOBODYS = frozenset(["service", "federated", "canonicaluser"])
"""Kinds of principals that have no key of the pool."""
_ABSENT = frozenset(
    f"aws:{name}"
    for name in (
        "principalorgid",
        "sourceaccount",
        "sourcearn",
        "sourceorgid",
        "sourceowner",
        "sourcevpc",
        "sourcevpce",
    )
)
"""Condition keys that no request has here."""
_SECURE = "aws:securetransport"
"""Always false: the port speaks no TLS."""
_OPERATOR = re.compile(
    "(?:(?:Arn|String)(?P<not>Not)?(?:Equals|EqualsIgnoreCase|Like)|Bool|(?P<null>Null))(?P<optional>IfExists)?"
)

Values = str | bool | list[str | bool]


class BadPolicy(ValueError):
    """Why a policy is refused."""


class Statement(Struct, rename="pascal", forbid_unknown_fields=True):
    effect: Literal["Allow", "Deny"]
    principal: str | dict[str, str | list[str]]
    action: str | list[str]
    resource: str | list[str] = "*"
    sid: str = ""
    condition: dict[str, dict[str, Values]] = {}


class Document(Struct, rename="pascal", forbid_unknown_fields=True):
    statement: Statement | list[Statement]
    version: Literal["2008-10-17", "2012-10-17"] = "2008-10-17"
    id: str = field(default="", name="Id")


def rules(text: str, account: str, queue: str) -> list[Rule]:
    """What a document says of a queue, by the name that SQS has for it. Raises BadPolicy."""
    if len(text.encode()) > MAX_BYTES:
        raise BadPolicy(f"it has more than {MAX_BYTES} bytes")
    try:
        document = msgspec.json.decode(text, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPolicy(str(error)) from error
    statements = _list(document.statement)
    if len(statements) > MAX_STATEMENTS:
        raise BadPolicy(f"it has more than {MAX_STATEMENTS} statements")
    found = [_rule(statement, account, queue) for statement in statements]
    return [rule for rule in found if rule]


def _rule(statement: Statement, account: str, queue: str) -> Rule | None:
    """None for a statement that never applies."""
    verbs = frozenset(verb for action in _list(statement.action) for verb in _verbs(action))
    keys = _keys(statement.principal, account)
    # All are looked at, so that what is wrong in one is told in any case.
    applies = [_is_of(resource, account, queue) for resource in _list(statement.resource)]
    holds = [
        _holds(operator, key.lower(), _list(values))
        for operator, keys_values in statement.condition.items()
        for key, values in keys_values.items()
    ]
    if not verbs or keys == frozenset() or not any(applies) or not all(holds):
        return None
    return Rule(statement.effect == "Allow", keys, verbs)


def _verbs(action: str) -> Iterable[Verb]:
    service, _, name = action.lower().partition(":")
    if action == "*":
        name = "*"
    elif service != "sqs":
        raise BadPolicy(f"the action {action} does not begin with SQS:")
    matching = [known for known in [*ACTIONS, *OWNERS_ACTIONS] if _like(known.lower(), name)]
    if not matching:
        raise BadPolicy(f"the action {action} is not known")
    return [ACTIONS[known] for known in matching if known in ACTIONS]


def _keys(principal: str | dict[str, str | list[str]], account: str) -> frozenset[str] | None:
    if isinstance(principal, str):
        if principal != "*":
            raise BadPolicy(f'the principal {principal} must be "*" or have a kind, as AWS')
        return None
    named: set[str] = set()
    for kind, values in principal.items():
        if kind.lower() in _NOBODYS:
            continue
        if kind != "AWS":
            raise BadPolicy(f"principals of the kind {kind} are not known")
        for value in _list(values):
            found = principal_of(value, account)
            if found is None:
                return None
            named |= {found} if found else set()
    return frozenset(named)


def principal_of(value: str, account: str) -> str | None:
    """Whose key a principal means; None for every key of the pool, "" for nobody's. Raises BadPolicy."""
    if value in ("*", account):
        return None
    if value.startswith("arn:"):
        found = re.fullmatch("arn:[^:]+:(?:iam|sts):[^:]*:([0-9]{12}):(.+)", value)
        if not found:
            raise BadPolicy(f"the principal {value} is no ARN of IAM")
        if found[1] != account:
            return ""
        if found[2] == "root":
            return None
        if not found[2].startswith("user/"):
            return ""
        value = found[2].removeprefix("user/")
    if re.fullmatch("[0-9]{12}", value):
        return ""
    try:
        return holder(parse_key_id(value))
    except ValueError as error:
        raise BadPolicy(f"the principal {value} is neither an account nor a key id of the pool") from error


def _is_of(resource: str, account: str, queue: str) -> bool:
    """Whether a resource is this queue, of whatever partition and region; as on AWS it may be any text."""
    if resource == "*":
        return True
    parts = resource.split(":", 5)
    return (
        len(parts) == 6
        and parts[0] == "arn"
        and _like("sqs", parts[2])
        and _like(account, parts[4])
        and _like(queue, parts[5])
    )


def _holds(operator: str, key: str, values: Sequence[str | bool]) -> bool:
    """Whether a condition holds for every request, for none holds it otherwise. Raises BadPolicy."""
    found = _OPERATOR.fullmatch(operator)
    if not found:
        raise BadPolicy(f"the condition operator {operator} is not known here")
    texts = [str(value).lower() for value in values]
    if key == _SECURE and (operator.startswith("Bool") or found["null"]):
        return "false" in texts
    if key not in _ABSENT:
        raise BadPolicy(f"the condition key {key} is not known here")
    if found["null"]:
        return "true" in texts
    return bool(found["not"] or found["optional"])


def _like(text: str, pattern: str) -> bool:
    """`*` and `?` stand for any, as IAM has them."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
