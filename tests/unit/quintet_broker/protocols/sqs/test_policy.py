"""What a Policy says as a queue's rules."""

import json
from typing import Any

import pytest

from quintet_broker.protocols.sqs.policy import ACTIONS, MAX_STATEMENTS, BadPolicy, rules
from quintet_broker.services.permissions import GRANTABLE, Rule

ACCOUNT = "000000000000"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
KEY = "Q.default.payments.1"
STATEMENT: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "SQS:SendMessage", "Resource": ARN}
SENDS = Rule(True, None, frozenset(["send"]))


def read(*statements: dict[str, Any], **document: Any) -> list[Rule]:
    return rules(json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | document), ACCOUNT, "orders")


def of(**fields: Any) -> list[Rule]:
    return read({name: value for name, value in (STATEMENT | fields).items() if value is not None})


def test_a_statement_is_a_rule() -> None:
    assert of() == [SENDS]
    assert of(Effect="Deny", Sid="no", Resource=None) == [Rule(False, None, frozenset(["send"]))]
    assert read(Statement=STATEMENT, Id="x") == [SENDS]
    assert len(read(STATEMENT, STATEMENT)) == 2


@pytest.mark.parametrize(
    ("principal", "keys"),
    [
        ("*", None),
        ({"AWS": "*"}, None),
        ({"AWS": ACCOUNT}, None),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, None),
        ({"AWS": [KEY, ACCOUNT]}, None),
        ({"AWS": KEY, "Service": "sns.amazonaws.com"}, ["Q.default.payments"]),
        (
            {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/{KEY}", "P.default.default.2"]},
            ["P.default.default", "Q.default.payments"],
        ),
    ],
)
def test_principals_are_keys(principal: Any, keys: list[str] | None) -> None:
    [rule] = of(Principal=principal)
    assert (None if rule.keys is None else sorted(rule.keys)) == keys


@pytest.mark.parametrize(
    "principal",
    [
        {"Service": "sns.amazonaws.com"},
        {"Federated": "x"},
        {"AWS": "123456789012"},
        {"AWS": "arn:aws:iam::123456789012:user/x"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"},
    ],
)
def test_who_has_no_key_of_the_pool_is_not_spoken_of(principal: Any) -> None:
    assert of(Principal=principal) == []


@pytest.mark.parametrize(
    ("action", "verbs"),
    [
        ("*", GRANTABLE),
        ("SQS:*", GRANTABLE),
        ("sqs:sendmessage", {"send"}),
        (["sqs:Get*", "SQS:ReceiveMessage"], {"describe", "locate", "receive"}),
        *((f"sqs:{action}", {verb}) for action, verb in ACTIONS.items()),
    ],
)
def test_actions_are_verbs(action: Any, verbs: set[str]) -> None:
    [rule] = of(Action=action)
    assert rule.verbs == verbs


def test_actions_of_the_owner_are_for_nobody_else() -> None:
    assert of(Action="sqs:DeleteQueue") == []
    [rule] = of(Action=["sqs:TagQueue", "sqs:SendMessage"])
    assert rule.verbs == {"send"}


def test_a_resource_is_this_queue_whatever_its_region() -> None:
    for resource in "*", f"arn:aws:sqs:*:{ACCOUNT}:ord*", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders":
        assert of(Resource=resource) == [SENDS]
    assert of(Resource=[ARN + "2", ARN]) == [SENDS]
    for resource in ARN + "2", f"arn:aws:sqs:*:{ACCOUNT}:Orders", f"arn:aws:sqs:*:{ACCOUNT}:[o]rders", "orders":
        assert of(Resource=resource) == []


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:*"}}, False),
        ({"StringEquals": {"aws:SourceAccount": [ACCOUNT]}}, False),
        ({"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"ArnLikeIfExists": {"AWS:SourceArn": "x"}}, True),
        ({"Null": {"aws:SourceArn": "true"}}, True),
        ({"Null": {"aws:SourceArn": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"Bool": {"aws:SecureTransport": False}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:SourceOwner": "x"}}, False),
        ({}, True),
    ],
)
def test_conditions_on_what_no_request_has(condition: Any, holds: bool) -> None:
    assert bool(of(Condition=condition)) == holds


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"Effect": "Maybe"}, "Effect"),
        ({"Effect": None}, "Effect"),
        ({"Principal": None}, "Principal"),
        ({"NotPrincipal": "*"}, "NotPrincipal"),
        ({"NotAction": "sqs:*"}, "NotAction"),
        ({"Principal": "somebody"}, "somebody"),
        ({"Principal": {"AWS": "somebody"}}, "somebody"),
        ({"Principal": {"AWS": "arn:aws:s3:::bucket"}}, "bucket"),
        ({"Principal": {"Planet": "x"}}, "Planet"),
        ({"Action": "SendMessage"}, "SendMessage"),
        ({"Action": "s3:GetObject"}, "s3:GetObject"),
        ({"Action": "sqs:SendMesage"}, "SendMesage"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, "IpAddress"),
        ({"Condition": {"StringEquals": {"aws:username": "x"}}}, "aws:username"),
        ({"Condition": {"StringEquals": {"aws:SecureTransport": "x"}}}, "aws:securetransport"),
        ({"Condition": {"ForAllValues:StringEquals": {"aws:SourceArn": "x"}}}, "ForAllValues"),
    ],
)
def test_what_is_not_known_is_refused_and_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadPolicy, match=named):
        of(**fields)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"Statement": 1}', "x" * 9000, '{"Version": "1", "Statement": []}']
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(BadPolicy):
        rules(text, ACCOUNT, "orders")


def test_there_are_so_many_statements() -> None:
    assert len(read(*[STATEMENT] * MAX_STATEMENTS)) == MAX_STATEMENTS
    with pytest.raises(BadPolicy, match="statements"):
        read(*[STATEMENT] * (MAX_STATEMENTS + 1))
