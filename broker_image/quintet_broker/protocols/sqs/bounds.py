"""Bounds of parameters, and pages of what is listed."""

import base64
import binascii
from collections.abc import Sequence

from quintet_broker.protocols.aws.errors import INVALID_VALUE, AwsError
from quintet_broker.services.queue import Queue
from quintet_broker.services.receiving import MAX_WAIT

MAX_LIST = 1000


def within(name: str, value: int | None, least: int, most: int) -> int | None:
    """The value, if it is given. Raises AwsError."""
    if value is not None and not least <= value <= most:
        raise AwsError(
            INVALID_VALUE,
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided.",
        )
    return value


def wait(seconds: int | None) -> int | None:
    """WaitTimeSeconds, of which AWS speaks in other words. Raises AwsError."""
    if seconds is not None and not 0 <= seconds <= MAX_WAIT:
        raise AwsError(
            INVALID_VALUE,
            f"Value {seconds} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= {MAX_WAIT}, "
            "if provided.",
        )
    return seconds


def page(
    queues: Sequence[Queue], max_results: int | None, next_token: str | None
) -> tuple[Sequence[Queue], str | None]:
    """Some of queues that are sorted by name, and the token of those behind them; without MaxResults the first
    thousand and no token. Raises AwsError."""
    limit = within("MaxResults", max_results, 1, MAX_LIST) or MAX_LIST
    after = _opened(next_token) if next_token else ""
    found = [one for one in queues if one.name > after]
    has_more = max_results is not None and len(found) > limit
    token = base64.urlsafe_b64encode(found[limit - 1].name.encode()).decode() if has_more else None
    return found[:limit], token


def _opened(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise AwsError(INVALID_VALUE, "Invalid or expired next token.") from error
