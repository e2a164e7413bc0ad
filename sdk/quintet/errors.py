"""What a verb of the client may raise. Every refusal of the broker is a class here, under the broker's own name.

The docstring of an error is its message where the broker gave no better one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quintet.message import Content


class QuintetError(Exception):
    """The request could not be served."""

    def __init__(self, detail: str = "", status: int | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        """What was wrong, for people."""
        self.status = status
        """As HTTP has it; None where there was no answer."""
        super().__init__(self.detail)


class InvalidArgument(QuintetError):
    """An argument is outside its bounds."""


class UnknownKey(QuintetError):
    """The access key id is unknown, or its secret is wrong."""


class AccessDenied(QuintetError):
    """This access key may not do that."""


class QueueNotFound(QuintetError):
    """The queue does not exist."""


class QueueInUse(QuintetError):
    """Another consumer has the queue for itself."""


class QueueExists(QuintetError):
    """A queue of this name exists with other attributes."""


class QueueDeclared(QuintetError):
    """The queue is declared by a manifest: change or delete it there."""


class DeadLetterQueueNotFound(QuintetError):
    """The dead-letter queue does not exist."""


class MessageTooLarge(QuintetError):
    """The message is larger than the queue's maxMessageSize, or the request larger than the broker takes."""


class BodyTimeout(QuintetError):
    """The request's body did not come in time."""


class ReceiptInvalid(QuintetError):
    """The receipt was not given out by this queue."""


class ReceiptStale(QuintetError):
    """The message was delivered again since, or is gone: this receipt no longer holds it."""


class Unsupported(QuintetError):
    """This is not supported yet."""


class QueueFull(QuintetError):
    """The queue has reached limits.messages or limits.bytes, or got as many deduplication ids as it can remember."""


class PoolFull(QuintetError):
    """The pool's memory is full: receive and acknowledge messages, then try again."""


class TooManyInFlight(QuintetError):
    """The queue has as many messages in flight as limits.inFlight allows."""


class OutOfOrder(QuintetError):
    """What was sent before it is not stored yet."""


class Overloaded(QuintetError):
    """Too much is waiting to be written."""


class Unavailable(QuintetError):
    """The storage cannot be reached; a send may or may not have been kept."""


class ConnectionLost(QuintetError):
    """The broker cannot be reached, or the connection broke; a send may or may not have been kept."""


class TimedOut(QuintetError):
    """The broker did not answer in time; a send may or may not have been kept."""


class ClientClosed(QuintetError):
    """The client is not open."""


class NotSettled(QuintetError):
    """Some of the messages were not settled; all others were."""

    def __init__(
        self, detail: str = "", status: int | None = None, failed: "Sequence[tuple[Content | str, QuintetError]]" = ()
    ) -> None:
        self.failed = list(failed)
        """Each of them, as it was given, and why."""
        super().__init__(detail or f"{len(self.failed)} messages were not settled: {failed[0][1]}", status)


RETRIED = (ConnectionLost, TimedOut, Unavailable, Overloaded, PoolFull, OutOfOrder)
"""What passes by itself: the client asks again until its timeout."""

UNCERTAIN = (ConnectionLost, TimedOut, Unavailable)
"""After these the broker may have done what was asked."""


_BY_NAME = {kind.__name__: kind for kind in QuintetError.__subclasses__()}
_PREFIX = "urn:quintet:problem:"


def from_problem(kind: str, detail: str, status: int) -> QuintetError:
    """The error that a problem document (RFC 9457) tells of: its type, detail and status."""
    return named(kind.removeprefix(_PREFIX), detail, status)


def named(name: str, detail: str, status: int) -> QuintetError:
    """The error that the broker calls so."""
    return _BY_NAME.get(name, QuintetError)(detail, status)
