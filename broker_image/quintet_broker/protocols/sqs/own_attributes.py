"""Attributes that a queue's spec has no field for: they are kept beside it, as they were given.

KMS keys and managed encryption are kept and shown, so that tools find what they set; nothing is encrypted by them.
"""

import re
from collections.abc import Mapping

from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs import policy, redrive
from quintet_broker.protocols.sqs.errors import INVALID_ATTRIBUTE_NAME, INVALID_ATTRIBUTE_VALUE
from quintet_broker.services.extras import Extras
from quintet_broker.services.permissions import Rule
from quintet_broker.services.spec import Patch

KEY, REUSE, MANAGED = "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"
LIMIT = "FifoThroughputLimit"
NEUTRAL = {KEY: "", REUSE: "300", MANAGED: "false", LIMIT: "perQueue", "Policy": "", redrive.ALLOW: ""}
"""Attribute → the value that is as good as none: it is not kept."""
REUSE_SECONDS = (60, 86_400)
MAX_KEY = 2048


def changes(given: Mapping[str, str], account: str, queue: str) -> Patch:
    """What attributes change in a queue's extras; `queue` is the name that SQS has for it. Raises AwsError."""
    kept = {name: value for name, value in given.items() if name in NEUTRAL}
    if MANAGED in kept:
        kept[MANAGED] = kept[MANAGED].lower()
    wanted: dict[str, str | None] = {}
    for name, value in kept.items():
        _check(name, value)
        wanted[name] = None if value == NEUTRAL[name] else value
    if wanted.get(KEY) and wanted.get(MANAGED):
        raise AwsError(
            INVALID_ATTRIBUTE_NAME,
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS "
            "SSE.",
        )
    if wanted.get(KEY):
        wanted[MANAGED] = None
    if wanted.get(MANAGED):
        wanted |= {KEY: None, REUSE: None}
    patch: Patch = {"attributes": wanted} if wanted else {}
    if "Policy" in kept:
        patch["rules"] = [_plain(rule) for rule in _rules(kept["Policy"], account, queue)]
    return patch


def shown(extras: Extras, is_fifo: bool) -> dict[str, str]:
    """Those that a queue has, and the defaults of which AWS tells too."""
    found = {MANAGED: NEUTRAL[MANAGED]} | extras.attributes
    if KEY in found:
        found = {REUSE: NEUTRAL[REUSE]} | found
    return {LIMIT: NEUTRAL[LIMIT]} | found if is_fifo else found


def _check(name: str, value: str) -> None:
    if name == redrive.ALLOW and value:
        redrive.check_allow_policy(value)
    elif name == MANAGED and value not in ("true", "false"):
        raise _bad(name, "It must be true or false")
    elif name == LIMIT and value not in ("perQueue", "perMessageGroupId"):
        raise _bad(name, "It must be perQueue or perMessageGroupId")
    elif name == KEY and len(value) > MAX_KEY:
        raise _bad(name, f"It has {MAX_KEY} characters at most")
    elif name == REUSE:
        least, most = REUSE_SECONDS
        if not (re.fullmatch("[0-9]{1,6}", value) and least <= int(value) <= most):
            raise _bad(name, f"It must be from {least} to {most}")


def _rules(text: str, account: str, queue: str) -> list[Rule]:
    try:
        return policy.rules(text, account, queue) if text else []
    except policy.BadPolicy as error:
        raise _bad("Policy", str(error)[:500]) from error


def _plain(rule: Rule) -> Patch:
    """As extras are patched."""
    keys = None if rule.keys is None else sorted(rule.keys)
    return {"allows": rule.allows, "keys": keys, "verbs": sorted(rule.verbs)}


def _bad(name: str, reason: str) -> AwsError:
    return AwsError(INVALID_ATTRIBUTE_VALUE, f"Invalid value for the parameter {name}. Reason: {reason}.")
