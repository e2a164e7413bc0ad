"""Problems: what our own faces call the broker's errors, by name and HTTP status."""

from quintet_broker import errors


class NotFound(errors.BrokerError):
    """There is no such operation."""


class MethodNotAllowed(errors.BrokerError):
    """This path has other methods."""


class InternalError(errors.BrokerError):
    """The broker failed; its log says why."""


STATUS: dict[type[errors.BrokerError], int] = {
    errors.InvalidArgument: 400,
    errors.UnknownKey: 401,
    errors.AccessDenied: 403,
    errors.QueueNotFound: 404,
    errors.BodyTimeout: 408,
    errors.QueueExists: 409,
    errors.QueueDeclared: 409,
    errors.QueueInUse: 409,
    errors.DeadLetterQueueNotFound: 409,
    errors.OutOfOrder: 409,
    errors.ReceiptStale: 410,
    errors.MessageTooLarge: 413,
    errors.ReceiptInvalid: 422,
    errors.TooManyInFlight: 429,
    errors.QueueFull: 429,
    errors.PoolFull: 429,
    errors.Overloaded: 503,
    errors.Unavailable: 503,
    errors.Unsupported: 422,
    NotFound: 404,
    MethodNotAllowed: 405,
    InternalError: 500,
}


def name(error: errors.BrokerError) -> str:
    return type(error).__name__


def status(error: errors.BrokerError) -> int:
    return STATUS.get(type(error), 500)
