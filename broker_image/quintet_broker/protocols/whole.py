"""A request that has come whole, and its answer, whatever brought the one and takes the other."""

from collections.abc import Sequence

from msgspec import Struct


class Request(Struct, frozen=True, gc=False):
    """One of HTTP."""

    method: str
    target: str
    """Path and query, as they came over the wire."""
    headers: dict[bytes, bytes]
    """By their names in small letters; one that came more than once has its values joined by commas."""
    body: bytes


class Answer(Struct, frozen=True, gc=False):
    """What is said to it."""

    body: bytes
    headers: dict[str, str]
    status: int = 200


def joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers as a request has them."""
    found = {name.lower(): value for name, value in headers}
    if len(found) == len(headers):
        return found
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value)
    return {name: b",".join(some) for name, some in values.items()}
