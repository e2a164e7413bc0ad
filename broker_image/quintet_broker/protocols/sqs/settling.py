"""Operations on messages that were received: delete them, and change how long they stay hidden."""

from collections.abc import Sequence

from quintet_broker.errors import BrokerError, ReceiptInvalid, ReceiptStale
from quintet_broker.protocols.aws.errors import INVALID_VALUE, MISSING_PARAMETER, AwsError
from quintet_broker.protocols.sqs import batch, bounds, codec
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.protocols.sqs.errors import RECEIPT_INVALID
from quintet_broker.services.queue import Queue
from quintet_broker.services.settling import MAX_VISIBILITY, Results

_NOT_HELD = "Message does not exist or is not available for visibility timeout change"


async def delete_message(_: Call, queue: Queue, asked: codec.DeleteMessage) -> None:
    """Settle a message for good."""
    receipts = [asked.receipt_handle]
    (error,) = _deleted(queue, receipts, await queue.acknowledge(receipts))
    if error:
        raise error


async def delete_message_batch(_: Call, queue: Queue, asked: codec.DeleteMessageBatch) -> codec.BatchResult:
    """Settle up to ten messages."""
    batch.check(asked.entries, "DeleteMessageBatchRequestEntry")
    receipts = [entry.receipt_handle for entry in asked.entries]
    return batch.settled(asked.entries, _deleted(queue, receipts, await queue.acknowledge(receipts)))


def _deleted(queue: Queue, receipts: Sequence[str], results: Results) -> list[AwsError | BrokerError | None]:
    """As AWS has it, an old receipt deletes nothing, and is an error in a FIFO queue alone."""
    if not any(results):
        return [*results]
    if queue.spec.ordering == "Standard":
        results = [None if isinstance(error, ReceiptStale) else error for error in results]
    return [_refused(*one, "The receipt handle has expired") for one in zip(receipts, results, strict=True)]


async def change_message_visibility(_: Call, queue: Queue, asked: codec.ChangeMessageVisibility) -> None:
    """Hide a message for so long from now; 0 releases it."""
    hidden = bounds.within("VisibilityTimeout", asked.visibility_timeout, 0, MAX_VISIBILITY) or 0
    (error,) = await queue.extend([(asked.receipt_handle, hidden)])
    if refused := _refused(asked.receipt_handle, error, _NOT_HELD):
        raise refused


async def change_message_visibility_batch(
    _: Call, queue: Queue, asked: codec.ChangeMessageVisibilityBatch
) -> codec.BatchResult:
    """Hide or release up to ten messages."""
    batch.check(asked.entries, "ChangeMessageVisibilityBatchRequestEntry")
    good, wanted, failed = [], [], []
    for entry in asked.entries:
        try:
            wanted.append((entry.receipt_handle, _visibility(entry)))
            good.append(entry)
        except AwsError as error:
            failed.append(batch.refused(entry, error))
    results = await queue.extend(wanted)
    changed = [_refused_entry(receipt, error) for (receipt, _), error in zip(wanted, results, strict=True)]
    result = batch.settled(good, changed)
    return codec.BatchResult(result.successful, result.failed + failed)


def _refused_entry(receipt: str, error: BrokerError | None) -> AwsError | BrokerError | None:
    """A batch has a code of its own for what is no longer held; libraries look at it where they settle twice."""
    return (
        AwsError(RECEIPT_INVALID, _NOT_HELD) if isinstance(error, ReceiptStale) else _refused(receipt, error, _NOT_HELD)
    )


def _refused(receipt: str, error: BrokerError | None, reason: str) -> AwsError | BrokerError | None:
    """In AWS's words; `reason` is that of a receipt which holds its message no longer."""
    receipt = receipt[:1000]
    if isinstance(error, ReceiptInvalid):
        return AwsError(RECEIPT_INVALID, f'The input receipt handle "{receipt}" is not a valid receipt handle.')
    if isinstance(error, ReceiptStale):
        return AwsError(INVALID_VALUE, f"Value {receipt} for parameter ReceiptHandle is invalid. Reason: {reason}.")
    return error


def _visibility(entry: codec.VisibilityEntry) -> int:
    seconds = bounds.within("VisibilityTimeout", entry.visibility_timeout, 0, MAX_VISIBILITY)
    if seconds is None:
        raise AwsError(MISSING_PARAMETER, "The request must contain the parameter VisibilityTimeout.")
    return seconds
