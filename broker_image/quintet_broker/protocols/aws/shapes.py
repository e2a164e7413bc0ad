"""What both protocols of an AWS service share: names on the wire, unreadable input, request ids."""

import itertools
import re

from msgspec import Struct

from quintet_broker.protocols.aws.errors import MALFORMED, MISSING_PARAMETER, AwsError
from quintet_broker.services.messages import id_text, new_id

_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")


class Names(Struct, frozen=True):
    """What the query protocol calls an operation's lists and maps."""

    lists_in: dict[str, str]
    """Name on the wire → member of the input."""
    lists_out: dict[str, str]
    """Member of the output → name on the wire."""
    maps_in: dict[str, str]
    maps_out: dict[str, tuple[str, str]]
    """Member of the output → name on the wire, and what the name in each pair is called."""


def misread(error: Exception) -> AwsError:
    """What AWS says of an input that is not of its operation's shape."""
    if missing := _MISSING.fullmatch(str(error)):
        field, place = missing[1], missing[2]
        name = f"{place}.{field}" if place else field
        return AwsError(MISSING_PARAMETER, f"The request must contain the parameter {name}.")
    return AwsError(MALFORMED, f"The request is not as it must be: {error}")


_PROCESS = id_text(new_id())[:24]
"""With this begin the ids of all requests that it serves, as UUIDs of one random number."""
_requests = itertools.count(1)


def request_id() -> str:
    """A new one."""
    return f"{_PROCESS}{next(_requests):012x}"
