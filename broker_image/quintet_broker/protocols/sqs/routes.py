"""SQS: its operations as functions, `OPERATIONS` their table."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from quintet_broker.errors import MessageTooLarge
from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.aws.shapes import Names
from quintet_broker.protocols.sqs import (
    batch,
    bounds,
    codec,
    errors,
    mapping,
    moves,
    permissions,
    queues,
    redrive,
    settling,
    tags,
)
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.services.settling import MAX_VISIBILITY

MAX_BATCH_BYTES = 1024 * 1024
MAX_RECEIVE = 10


# Sending


async def send_message(call: Call, asked: codec.SendMessage) -> codec.Sent:
    """Store a message; the answer confirms it."""
    found = await call.queue(asked.queue_url, "send")
    message = mapping.new_message(asked, found.spec, call.key_id, call.trace)
    (sent,) = await found.send([message])
    return mapping.answer(asked, message, sent)


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
    mapping.check_fifo_batch(asked.entries, found.spec)
    for entry in asked.entries:
        try:
            messages.append(mapping.new_message(entry, found.spec, call.key_id, call.trace))
            good.append(entry)
        except AwsError as error:
            failed.append(batch.refused(entry, error))
        except MessageTooLarge as error:
            failed.append(batch.refused(entry, mapping.too_large_in_batch(error)))
    stored = await found.send(messages) if messages else []
    sent = [mapping.answer(*one, one[0].id) for one in zip(good, messages, stored, strict=True)]
    return codec.SentBatch(sent, failed)


# Receiving


async def receive_message(call: Call, asked: codec.ReceiveMessage) -> codec.Messages:
    """Deliver messages, waiting for the first."""
    found = await call.queue(asked.queue_url, "receive")
    system_names = asked.attribute_names + asked.message_system_attribute_names
    mapping.check_names(system_names)
    if found.spec.consumers != "Shared":
        raise AwsError(
            errors.UNSUPPORTED,
            f"The queue's consumers are {found.spec.consumers}, and SQS has no name for a consumer: receive over /v1/.",
        )
    limit = bounds.within("MaxNumberOfMessages", asked.max_number_of_messages, 1, MAX_RECEIVE) or 1
    visible_after = bounds.within("VisibilityTimeout", asked.visibility_timeout, 0, MAX_VISIBILITY)
    wait = bounds.wait(asked.wait_time_seconds)
    if (attempt := asked.receive_request_attempt_id) is None:
        messages = await found.receive(limit, visibility_timeout=visible_after, wait=wait)
    else:
        mapping.check_attempt(attempt, found.spec)
        messages = await call.topology.attempts.receive(
            found, f"{call.key_id}/{attempt}", limit, visibility_timeout=visible_after, wait=wait
        )
    named = mapping.Named(system_names, asked.message_attribute_names)
    return codec.Messages(
        [
            mapping.message(one, named, call.account, lambda name: redrive.arn(call.account, name, found.spec))
            for one in messages
        ]
    )


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
        _operation(codec.AddPermission, permissions.add_permission),
        _operation(codec.CancelMessageMoveTask, moves.cancel_message_move_task),
        _operation(codec.ChangeMessageVisibility, settling.change_message_visibility),
        _operation(codec.ChangeMessageVisibilityBatch, settling.change_message_visibility_batch),
        _operation(codec.CreateQueue, queues.create_queue),
        _operation(codec.DeleteMessage, settling.delete_message),
        _operation(codec.DeleteMessageBatch, settling.delete_message_batch),
        _operation(codec.DeleteQueue, queues.delete_queue),
        _operation(codec.GetQueueAttributes, queues.get_queue_attributes),
        _operation(codec.GetQueueUrl, queues.get_queue_url),
        _operation(codec.ListDeadLetterSourceQueues, moves.list_dead_letter_source_queues),
        _operation(codec.ListMessageMoveTasks, moves.list_message_move_tasks),
        _operation(codec.ListQueueTags, tags.list_queue_tags),
        _operation(codec.ListQueues, queues.list_queues),
        _operation(codec.PurgeQueue, queues.purge_queue),
        _operation(codec.ReceiveMessage, receive_message),
        _operation(codec.RemovePermission, permissions.remove_permission),
        _operation(codec.SendMessage, send_message),
        _operation(codec.SendMessageBatch, send_message_batch),
        _operation(codec.SetQueueAttributes, queues.set_queue_attributes),
        _operation(codec.StartMessageMoveTask, moves.start_message_move_task),
        _operation(codec.TagQueue, tags.tag_queue),
        _operation(codec.UntagQueue, tags.untag_queue),
    )
}
