"""What both protocols of an AWS service share: names on the wire, unreadable input, request ids."""

import random
import re
import uuid

from msgspec import Struct

from quintet_broker.protocols.aws.errors import MALFORMED, MISSING_PARAMETER, AwsError

_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")


class Names(Struct, frozen=True):
    """How the query protocol calls the members that are lists and maps: member → name on the wire."""

    lists: dict[str, str]
    maps: dict[str, str]
    list_members: dict[str, str]
    """Name on the wire → member."""
    map_members: dict[str, str]


def names(lists: dict[str, str], maps: dict[str, str]) -> Names:
    """Names with their reverse."""
    return Names(lists, maps, {wire: m for m, wire in lists.items()}, {wire: m for m, wire in maps.items()})


def misread(error: Exception) -> AwsError:
    """What AWS says of an input that is not of its operation's shape."""
    if missing := _MISSING.fullmatch(str(error)):
        field, place = missing[1], missing[2]
        name = f"{place}.{field}" if place else field
        return AwsError(MISSING_PARAMETER, f"The request must contain the parameter {name}.")
    return AwsError(MALFORMED, f"The request is not as it must be: {error}")


def request_id() -> str:
    """A new one."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
