"""From the broker's errors to AWS's, and the errors of SQS itself.

Source: the errors of each action, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

from quintet_broker import errors
from quintet_broker.protocols.aws.errors import (
    ACCESS_DENIED,
    INVALID_KEY,
    INVALID_VALUE,
    REQUEST_TIMEOUT,
    UNAVAILABLE,
    AwsError,
    Kind,
)


def _sqs(name: str, code: str = "", status: int = 400) -> Kind:
    return Kind(f"com.amazonaws.sqs#{name}", code or name, status)


_LEGACY = "AWS.SimpleQueueService."

BATCH_EMPTY = _sqs("EmptyBatchRequest", f"{_LEGACY}EmptyBatchRequest")
BATCH_ID_INVALID = _sqs("InvalidBatchEntryId", f"{_LEGACY}InvalidBatchEntryId")
BATCH_IDS_NOT_DISTINCT = _sqs("BatchEntryIdsNotDistinct", f"{_LEGACY}BatchEntryIdsNotDistinct")
BATCH_TOO_LONG = _sqs("BatchRequestTooLong", f"{_LEGACY}BatchRequestTooLong")
BATCH_TOO_MANY = _sqs("TooManyEntriesInBatchRequest", f"{_LEGACY}TooManyEntriesInBatchRequest")
INVALID_ATTRIBUTE_NAME = _sqs("InvalidAttributeName")
INVALID_ATTRIBUTE_VALUE = _sqs("InvalidAttributeValue")
INVALID_CONTENTS = _sqs("InvalidMessageContents")
OVER_LIMIT = _sqs("OverLimit", status=403)
QUEUE_EXISTS = _sqs("QueueNameExists", "QueueAlreadyExists")
QUEUE_NOT_FOUND = _sqs("QueueDoesNotExist", f"{_LEGACY}NonExistentQueue")
RECEIPT_INVALID = _sqs("ReceiptHandleIsInvalid", status=404)
TASK_NOT_FOUND = _sqs("ResourceNotFoundException", status=404)
THROTTLED = _sqs("RequestThrottled", status=403)
UNSUPPORTED = _sqs("UnsupportedOperation", f"{_LEGACY}UnsupportedOperation")

KINDS: dict[type[errors.BrokerError], Kind] = {
    errors.AccessDenied: ACCESS_DENIED,
    errors.BodyTimeout: REQUEST_TIMEOUT,
    errors.DeadLetterQueueNotFound: INVALID_VALUE,
    errors.InvalidArgument: INVALID_VALUE,
    errors.MessageTooLarge: INVALID_VALUE,
    errors.Overloaded: UNAVAILABLE,
    errors.PoolFull: THROTTLED,
    errors.QueueDeclared: UNSUPPORTED,
    errors.QueueExists: QUEUE_EXISTS,
    errors.QueueInUse: UNSUPPORTED,
    errors.QueueFull: THROTTLED,
    errors.QueueNotFound: QUEUE_NOT_FOUND,
    errors.ReceiptInvalid: RECEIPT_INVALID,
    errors.ReceiptStale: INVALID_VALUE,
    errors.TooManyInFlight: OVER_LIMIT,
    errors.Unavailable: UNAVAILABLE,
    errors.UnknownKey: INVALID_KEY,
    errors.Unsupported: UNSUPPORTED,
}


def translated(error: errors.BrokerError) -> AwsError:
    """The same in AWS's words."""
    message = "The specified queue does not exist." if isinstance(error, errors.QueueNotFound) else error.message
    return AwsError(KINDS[type(error)], message)
