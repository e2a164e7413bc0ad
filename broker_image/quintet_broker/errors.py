"""What any verb of the broker may refuse. Imports nothing, imported by all layers.

The docstring of an error is its message; pass text to its constructor to say it more exactly.
Each face has one table from these to its own words (`protocols/*/errors.py`).
"""


class BrokerError(Exception):
    """The request could not be served."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        return str(self)


class InvalidArgument(BrokerError):
    """An argument is outside its bounds."""


class QueueNotFound(BrokerError):
    """The queue does not exist."""


class QueueInUse(BrokerError):
    """Another consumer has the queue for itself."""


class QueueExists(BrokerError):
    """A queue of this name exists with other attributes."""


class QueueDeclared(BrokerError):
    """The queue is declared by a manifest: change or delete it there."""


class Unsupported(BrokerError):
    """This is not supported yet."""


class MessageTooLarge(BrokerError):
    """The message is larger than the queue's maxMessageSize."""


class ReceiptInvalid(BrokerError):
    """The receipt was not given out by this queue."""


class ReceiptStale(BrokerError):
    """The message was delivered again since, or is gone: this receipt no longer holds it."""


class TooManyInFlight(BrokerError):
    """The queue has as many messages in flight as limits.inFlight allows."""


class QueueFull(BrokerError):
    """The queue has reached limits.messages or limits.bytes, or got as many deduplication ids as it can remember."""


class PoolFull(BrokerError):
    """The pool's memory is full: receive and acknowledge messages, then try again."""


class BodyTimeout(BrokerError):
    """The request's body did not come in time."""


class OutOfOrder(BrokerError):
    """The send that comes before this one is not stored: try again behind it."""


class Overloaded(BrokerError):
    """Too much is waiting to be written: try again shortly."""


class NotOwner(BrokerError):
    """Another broker of the pool owns this. Asked again there: no client sees this."""

    def __init__(self, message: str | None = None, generation: int = 0) -> None:
        super().__init__(message)
        self.generation = generation
        """Of the table by which another owns it, if that is known."""


class KeyMoved(BrokerError):
    """Another shard of the queue takes this key by now. Asked again there: no client sees this."""


class NameInUse(BrokerError):
    """Another broker of the pool has this name."""


class Unavailable(BrokerError):
    """The storage cannot be reached: try again; a send may or may not have been kept."""


class AccessDenied(BrokerError):
    """This access key may not do that."""


class UnknownKey(BrokerError):
    """The access key id is unknown, or its secret is wrong."""


class RevisionConflict(BrokerError):
    """The topology document is older than the one applied."""


class NameTaken(BrokerError):
    """Another object has this name."""


class DataConflict(BrokerError):
    """The messages kept under this name belong to a queue of another ordering."""


class DeadLetterQueueNotFound(BrokerError):
    """The dead-letter queue does not exist."""
