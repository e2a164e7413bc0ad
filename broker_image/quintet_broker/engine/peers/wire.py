"""Wire: requests, answers and errors as bytes, in MessagePack.

A frame is its length (4 bytes, big-endian) and a list of messages behind the sender's generation: all that one broker
has to say to another in a turn of its event loop.
"""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec
from msgspec import Raw, Struct

from quintet_broker import errors
from quintet_broker.engine import requests
from quintet_broker.engine.requests import Request
from quintet_broker.errors import BrokerError, Unavailable

LENGTH_BYTES = 4


class Ask(Struct, array_like=True, tag=0):
    """Serve a request at a shard."""

    id: int
    """Chosen by the sender; the answer names it."""
    shard: int
    request: str
    """Name of its class."""
    fields: Raw


class Call(Struct, array_like=True, tag=1):
    """Serve a verb that concerns the pool, not a shard."""

    id: int
    verb: str
    argument: bytes


class Cancel(Struct, array_like=True, tag=2):
    """Nobody waits for the answer any more."""

    id: int


class Answer(Struct, array_like=True, tag=3):
    """To an Ask or a Call."""

    id: int
    value: Raw


class Refusal(Struct, array_like=True, tag=4):
    """To an Ask or a Call."""

    id: int
    error: str
    """Name of its class."""
    text: str


Message = Ask | Call | Cancel | Answer | Refusal


class Frame(Struct, array_like=True):
    generation: int
    """The sender's, of the pool."""
    messages: list[Message]


def frame(generation: int, messages: list[Message]) -> bytes:
    body = msgspec.msgpack.encode(Frame(generation, messages))
    return len(body).to_bytes(LENGTH_BYTES) + body


def messages(body: bytes) -> Frame:
    """Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(body, type=Frame)


# Requests


def ask(number: int, shard: int, request: Request[Any]) -> Ask:
    kind = type(request).__name__
    values = [getattr(request, name) for name in _KINDS[kind].names]
    return Ask(number, shard, kind, Raw(msgspec.msgpack.encode(values)))


def request(asked: Ask) -> Request[Any]:
    """Raises msgspec.DecodeError, KeyError."""
    kind = _KINDS[asked.request]
    made: Request[Any] = kind.make(*msgspec.msgpack.decode(asked.fields, type=kind.types))
    return made


class _Kind(Struct, frozen=True):
    """A class of requests: its parameters, each kept as an attribute of that name."""

    make: Callable[..., Request[Any]]
    names: list[str]
    types: Any

    @classmethod
    def of(cls, kind: type[Request[Any]]) -> "_Kind":
        hints = get_type_hints(kind.__init__)
        names = list(inspect.signature(kind.__init__).parameters)[1:]
        return cls(kind, names, tuple[tuple(hints[name] for name in names)])  # type: ignore[misc]


_KINDS = {
    name: _Kind.of(kind) for name, kind in vars(requests).items() if inspect.isclass(kind) and issubclass(kind, Request)
}


# Answers


def answer(number: int, value: Any) -> Answer:
    return Answer(number, Raw(msgspec.msgpack.encode(value, enc_hook=_error_out)))


def value(answered: Answer, kind: Any) -> Any:
    """An answer of that type. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(answered.value, type=kind, dec_hook=_error_in)


def refusal(number: int, error: BaseException) -> Refusal:
    name = type(error).__name__ if isinstance(error, BrokerError) else Unavailable.__name__
    return Refusal(number, name, str(error))


def error(refused: Refusal) -> BrokerError:
    return _error(refused.error, refused.text)


def _error(name: str, text: str) -> BrokerError:
    kind = getattr(errors, name, None)
    found: BrokerError = kind(text) if inspect.isclass(kind) and issubclass(kind, BrokerError) else Unavailable(text)
    return found


def _error_out(value: Any) -> Any:
    if isinstance(value, BrokerError):
        return [type(value).__name__, value.message]
    raise NotImplementedError(f"{type(value).__name__} does not travel")


def _error_in(kind: type, value: Any) -> Any:
    return _error(*value)
