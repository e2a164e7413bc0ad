"""SQS: its operations as functions, `OPERATIONS` their table. Both protocols of AWS lead here."""

import base64
import binascii
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from msgspec import Struct

from quintet_broker.errors import BrokerError, MessageTooLarge, QueueNotFound, ReceiptStale
from quintet_broker.protocols.admission import ADMISSION
from quintet_broker.protocols.aws import json_rpc, query, sigv4
from quintet_broker.protocols.aws.errors import (
    INVALID_VALUE,
    MALFORMED,
    MISSING_ACTION,
    MISSING_PARAMETER,
    TOO_LARGE,
    UNKNOWN_ACTION,
    AwsError,
)
from quintet_broker.protocols.aws.shapes import Names
from quintet_broker.protocols.keys import ACCESS, SETTINGS, TOPOLOGY
from quintet_broker.protocols.sqs import attributes, batch, codec, errors, mapping, moves, names
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.services.queue import MAX_VISIBILITY, MAX_WAIT, Queue

NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"
TARGET = "AmazonSQS."
"""What X-Amz-Target has before the operation."""
MAX_BATCH_BYTES = 1024 * 1024
MAX_LIST = 1000
MAX_RECEIVE = 10


# Queues


async def create_queue(call: Call, asked: codec.CreateQueue) -> codec.QueueUrl:
    """Make a queue; one that exists must agree with the attributes that are given."""
    name = asked.queue_name
    call.allow("manage", names.plain(name))
    if asked.tags:
        raise AwsError(errors.UNSUPPORTED, "Tags are not supported yet.")
    patch = attributes.patch(call.topology.defaults, asked.attributes, call.account)
    names.check_new(name, is_fifo=patch.get("ordering") == "Fifo")
    made = await call.topology.create_queue(names.plain(name), {"ordering": "Standard"} | patch)
    return codec.QueueUrl(call.url(made))


async def get_queue_url(call: Call, asked: codec.GetQueueUrl) -> codec.QueueUrl:
    """Tell a queue's address."""
    call.allow("receive", names.plain(asked.queue_name))
    if asked.queue_owner_account not in (None, call.account):
        raise QueueNotFound(f"This endpoint has the queues of account {call.account} only.")
    return codec.QueueUrl(call.url(await names.found(call.topology, asked.queue_name)))


async def list_queues(call: Call, asked: codec.ListQueues) -> codec.QueueUrls:
    """List queues, sorted by name; in pages where MaxResults is given, else the first thousand."""
    call.allow("manage", None)
    limit = _within("MaxResults", asked.max_results, 1, MAX_LIST) or MAX_LIST
    after = _opened(asked.next_token) if asked.next_token else ""
    prefix = asked.queue_name_prefix
    found = [one for one in call.topology.queues() if one.name > after and names.shown(one).startswith(prefix)]
    more = asked.max_results is not None and len(found) > limit
    token = base64.urlsafe_b64encode(found[limit - 1].name.encode()).decode() if more else None
    return codec.QueueUrls([call.url(one) for one in found[:limit]], token)


async def delete_queue(call: Call, asked: codec.DeleteQueue) -> None:
    """Delete a run-time queue and its messages."""
    found = await call.queue(asked.queue_url, "manage")
    await call.topology.delete_queue(found.name)


async def purge_queue(call: Call, asked: codec.PurgeQueue) -> None:
    """Drop every message of a queue."""
    found = await call.queue(asked.queue_url, "manage")
    await found.purge()


async def get_queue_attributes(call: Call, asked: codec.GetQueueAttributes) -> codec.QueueAttributes:
    """Tell what a queue is and how much it holds."""
    found = await call.queue(asked.queue_url, "receive")
    return codec.QueueAttributes(await attributes.shown(found, asked.attribute_names, call.account))


async def set_queue_attributes(call: Call, asked: codec.SetQueueAttributes) -> None:
    """Change a run-time queue."""
    queue = await call.queue(asked.queue_url, "manage")
    patch = attributes.patch(queue.spec, asked.attributes, call.account)
    await call.topology.update_queue(queue.name, patch)


# Sending


async def send_message(call: Call, asked: codec.SendMessage) -> codec.Sent:
    """Store a message; the answer confirms it."""
    found = await call.queue(asked.queue_url, "send")
    (sent,) = await found.send([mapping.new_message(asked, found.spec)])
    return mapping.answer(asked, sent)


async def send_message_batch(call: Call, asked: codec.SendMessageBatch) -> codec.SentBatch:
    """Store up to ten messages; each may be refused for itself."""
    found = await call.queue(asked.queue_url, "send")
    batch.check(asked.entries, "SendMessageBatchRequestEntry")
    if (total := sum(mapping.size(entry) for entry in asked.entries)) > MAX_BATCH_BYTES:
        raise AwsError(
            errors.BATCH_TOO_LONG,
            f"Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {total} bytes.",
        )
    good, messages, failed = [], [], []
    for entry in asked.entries:
        try:
            messages.append(mapping.new_message(entry, found.spec))
            good.append(entry)
        except (AwsError, MessageTooLarge) as error:
            failed.append(batch.refused(entry, error))
    stored = await found.send(messages) if messages else []
    sent = [mapping.answer(entry, one, entry.id) for entry, one in zip(good, stored, strict=True)]
    return codec.SentBatch(sent, failed)


# Receiving


async def receive_message(call: Call, asked: codec.ReceiveMessage) -> codec.Messages:
    """Deliver messages, waiting for the first."""
    found = await call.queue(asked.queue_url, "receive")
    system_names = asked.attribute_names + asked.message_system_attribute_names
    mapping.check_names(system_names)
    if asked.receive_request_attempt_id is not None and found.spec.ordering != "Fifo":
        raise mapping.not_of_this_type(asked.receive_request_attempt_id, "ReceiveRequestAttemptId")
    if found.spec.consumers != "Shared":
        raise AwsError(
            errors.UNSUPPORTED,
            f"The queue's consumers are {found.spec.consumers}, and SQS has no name for a consumer: receive over /v1/.",
        )
    messages = await found.receive(
        _within("MaxNumberOfMessages", asked.max_number_of_messages, 1, MAX_RECEIVE) or 1,
        visibility_timeout=_within("VisibilityTimeout", asked.visibility_timeout, 0, MAX_VISIBILITY),
        wait=_within("WaitTimeSeconds", asked.wait_time_seconds, 0, MAX_WAIT),
    )
    named = mapping.Named(system_names, asked.message_attribute_names)
    return codec.Messages(
        [
            mapping.message(one, named, call.account, lambda name: attributes.arn(call.account, name, found.spec))
            for one in messages
        ]
    )


async def delete_message(call: Call, asked: codec.DeleteMessage) -> None:
    """Settle a message for good."""
    found = await call.queue(asked.queue_url, "receive")
    (error,) = await _deleted(found, [asked.receipt_handle])
    if error:
        raise error


async def delete_message_batch(call: Call, asked: codec.DeleteMessageBatch) -> codec.BatchResult:
    """Settle up to ten messages."""
    found = await call.queue(asked.queue_url, "receive")
    batch.check(asked.entries, "DeleteMessageBatchRequestEntry")
    return batch.settled(asked.entries, await _deleted(found, [entry.receipt_handle for entry in asked.entries]))


async def _deleted(found: Queue, receipts: list[str]) -> list[AwsError | BrokerError | None]:
    outcomes = zip(receipts, await found.acknowledge(receipts), strict=True)
    return [_outcome(found, receipt, error) if error else None for receipt, error in outcomes]


def _outcome(found: Queue, receipt: str, error: BrokerError) -> AwsError | BrokerError | None:
    """As AWS has it: an old receipt deletes nothing, and is an error in a FIFO queue alone."""
    if not isinstance(error, ReceiptStale):
        return error
    if found.spec.ordering == "Standard":
        return None
    return AwsError(
        INVALID_VALUE,
        f"Value {receipt} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    )


async def change_message_visibility(call: Call, asked: codec.ChangeMessageVisibility) -> None:
    """Hide a message for so long from now; 0 releases it."""
    found = await call.queue(asked.queue_url, "receive")
    hidden = _within("VisibilityTimeout", asked.visibility_timeout, 0, MAX_VISIBILITY) or 0
    (error,) = await found.extend([(asked.receipt_handle, hidden)])
    if error:
        raise error


async def change_message_visibility_batch(call: Call, asked: codec.ChangeMessageVisibilityBatch) -> codec.BatchResult:
    """Hide or release up to ten messages."""
    found = await call.queue(asked.queue_url, "receive")
    batch.check(asked.entries, "ChangeMessageVisibilityBatchRequestEntry")
    good, wanted, failed = [], [], []
    for entry in asked.entries:
        try:
            wanted.append((entry.receipt_handle, _visibility(entry)))
            good.append(entry)
        except AwsError as error:
            failed.append(batch.refused(entry, error))
    result = batch.settled(good, await found.extend(wanted))
    return codec.BatchResult(result.successful, result.failed + failed)


def _visibility(entry: codec.VisibilityEntry) -> int:
    seconds = _within("VisibilityTimeout", entry.visibility_timeout, 0, MAX_VISIBILITY)
    if seconds is None:
        raise AwsError(MISSING_PARAMETER, "The request must contain the parameter VisibilityTimeout.")
    return seconds


def _within(name: str, value: int | None, least: int, most: int) -> int | None:
    if value is not None and not least <= value <= most:
        raise AwsError(
            INVALID_VALUE,
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided.",
        )
    return value


def _opened(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise AwsError(INVALID_VALUE, "Invalid or expired next token.") from error


# The table


class Operation(Struct, frozen=True):
    """What an operation takes, what it does, and what the query protocol calls its lists and maps."""

    takes: type[Struct]
    does: Callable[[Call, Any], Awaitable[Struct | None]]
    names: Names


def _operation(takes: type[Struct], does: Callable[[Call, Any], Awaitable[Struct | None]]) -> Operation:
    return Operation(takes, does, codec.query_names(takes.__name__))


OPERATIONS = {
    operation.takes.__name__: operation
    for operation in (
        _operation(codec.CancelMessageMoveTask, moves.cancel_message_move_task),
        _operation(codec.ChangeMessageVisibility, change_message_visibility),
        _operation(codec.ChangeMessageVisibilityBatch, change_message_visibility_batch),
        _operation(codec.CreateQueue, create_queue),
        _operation(codec.DeleteMessage, delete_message),
        _operation(codec.DeleteMessageBatch, delete_message_batch),
        _operation(codec.DeleteQueue, delete_queue),
        _operation(codec.GetQueueAttributes, get_queue_attributes),
        _operation(codec.GetQueueUrl, get_queue_url),
        _operation(codec.ListDeadLetterSourceQueues, moves.list_dead_letter_source_queues),
        _operation(codec.ListMessageMoveTasks, moves.list_message_move_tasks),
        _operation(codec.ListQueues, list_queues),
        _operation(codec.PurgeQueue, purge_queue),
        _operation(codec.ReceiveMessage, receive_message),
        _operation(codec.SendMessage, send_message),
        _operation(codec.SendMessageBatch, send_message_batch),
        _operation(codec.SetQueueAttributes, set_queue_attributes),
        _operation(codec.StartMessageMoveTask, moves.start_message_move_task),
    )
}
LATER = frozenset(
    [
        "AddPermission",
        "ListQueueTags",
        "RemovePermission",
        "TagQueue",
        "UntagQueue",
    ]
)
"""Operations of SQS that are not there yet."""


def mount(app: web.Application) -> None:
    """Add the addresses of SQS to the clients' application."""
    for path in "/", "/{account:[0-9]{12}}/{queue}":
        app.router.add_post(path, serve)
        app.router.add_get(path, serve)


async def serve(request: web.Request) -> web.Response:
    """One request in either protocol."""
    exchange: json_rpc.Exchange | query.Exchange
    exchange = json_rpc.Exchange("", b"") if "X-Amz-Target" in request.headers else query.Exchange([], NAMESPACE)
    try:
        async with request.app[ADMISSION].body(request) as body:
            exchange = _exchange(request, body)
            call = _call(request, body)
            operation = _found(exchange.action)
            asked = exchange.read(operation.takes, operation.names)
            return exchange.answer(await operation.does(call, asked), operation.names)
    except AwsError as error:
        return exchange.refuse(error)
    except BrokerError as error:
        return exchange.refuse(errors.translated(error))
    except web.HTTPRequestEntityTooLarge as error:
        return exchange.refuse(AwsError(TOO_LARGE, f"The request is too large: {error.text}"))
    except UnicodeEncodeError:
        # A header may hold bytes that are no text, as nothing else can: Host and the signature's parts.
        return exchange.refuse(AwsError(MALFORMED, "The request's headers must be UTF-8."))


def _exchange(request: web.Request, body: bytes) -> json_rpc.Exchange | query.Exchange:
    if target := request.headers.get("X-Amz-Target"):
        return json_rpc.Exchange(target.removeprefix(TARGET), body)
    given = query.parameters(request.raw_path.partition("?")[2], body)
    if "queue" in request.match_info and all(name != "QueueUrl" for name, _ in given):
        given.append(("QueueUrl", request.path))
    return query.Exchange(given, NAMESPACE)


def _found(action: str) -> Operation:
    if operation := OPERATIONS.get(action):
        return operation
    if action in LATER:
        raise AwsError(errors.UNSUPPORTED, f"{action} is not supported yet.")
    if not action:
        raise AwsError(MISSING_ACTION, "The request must contain the parameter Action: this address speaks Amazon SQS.")
    raise AwsError(UNKNOWN_ACTION, f"The action {action[:100]!a} is not valid for this endpoint.")


def _call(request: web.Request, body: bytes) -> Call:
    access = request.app[ACCESS]
    key_id = None
    if access.enabled:
        signed = sigv4.Request(request.method, request.raw_path, request.headers, body)
        key_id = sigv4.verify(signed, "sqs", access.secret, time.time())
    return Call(
        topology=request.app[TOPOLOGY],
        access=access,
        key_id=key_id,
        account=request.app[SETTINGS].account_id,
        base_url=f"{request.scheme}://{request.host}",
    )
