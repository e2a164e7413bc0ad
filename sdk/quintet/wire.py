"""The bodies of /v1/, as the client writes and reads them."""

import re
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from quintet.errors import QuintetError, from_problem

Found = TypeVar("Found")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_ENCODER = msgspec.json.Encoder()


class Problem(Struct):
    """Why something was refused (RFC 9457)."""

    type: str
    status: int
    detail: str = ""

    def error(self) -> QuintetError:
        return from_problem(self.type, self.detail, self.status)


class Counts(Struct, frozen=True, rename="camel"):
    """How many messages a queue holds, by what they wait for."""

    visible: int
    in_flight: int
    delayed: int


class Redrive(Struct, frozen=True, rename="camel"):
    """How far a redrive has come."""

    running: bool
    """Until the last message has arrived."""
    moved: int
    left: int
    """Messages that are still to be looked at."""
    rate: float | None
    """Messages a second."""
    started_at: int | None
    """Milliseconds since 1970; None where there was none yet."""


class QueueInfo(Struct, frozen=True, rename="camel"):
    """A queue as it is."""

    name: str
    origin: str
    """`Declared` by a manifest, or made at `Runtime` by a client."""
    spec: dict[str, Any]
    """The fields of a Queue manifest's spec, defaults filled in."""
    counts: Counts
    active_consumer: str | None
    """The one that is served; None in a queue whose consumers are Shared."""
    created_at: int
    """Milliseconds since 1970."""
    modified_at: int
    """Milliseconds since 1970."""


class Queues(Struct):
    queues: list[QueueInfo]


def decode(answer: bytes, kind: type[Found]) -> Found:
    """Raises QuintetError where the answer is no answer of a broker."""
    try:
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise QuintetError(f"The answer is not a broker's: {error}") from error


def path(queue: str) -> str:
    """Where a queue is, by its name."""
    return f"/v1/queues/{quote(queue, safe='')}"


def consumer_path(queue_path: str, consumer: str) -> str:
    """Where a consumer of a queue is, by its name."""
    return f"{queue_path}/consumers/{quote(consumer, safe='')}"


def encode(body: Any) -> bytes:
    return _ENCODER.encode(body)


def seconds(duration: str) -> float:
    """1.5 for `1s500ms`."""
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall("([0-9]+)([a-z]+)", duration))
