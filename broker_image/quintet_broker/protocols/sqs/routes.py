"""SQS: its operations as functions, `OPERATIONS` their table."""

from collections.abc import Awaitable, Callable, Sequence
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
from quintet_broker.services.permissions import Verb
from quintet_broker.services.queue import Queue
from quintet_broker.services.settling import MAX_VISIBILITY

MAX_BATCH_BYTES = 1024 * 1024
MAX_RECEIVE = 10


# Sending


async def send_message(call: Call, queue: Queue, asked: codec.SendMessage) -> codec.Sent:
    """Store a message; the answer confirms it."""
    message = mapping.new_message(asked, mapping.common_of(call, queue.spec))
    (sent,) = await queue.send([message])
    return mapping.answer(asked, message, sent, call.digests)


async def send_message_batch(call: Call, queue: Queue, asked: codec.SendMessageBatch) -> codec.SentBatch:
    """Store up to ten messages; each may be refused for itself."""
    batch.check(asked.entries, "SendMessageBatchRequestEntry")
    # What a body carries is no longer than the body.
    if len(call.request.body) > MAX_BATCH_BYTES:
        _check_size(asked.entries)
    good, messages, failed = [], [], []
    mapping.check_fifo_batch(asked.entries, queue.spec)
    common = mapping.common_of(call, queue.spec)
    for entry in asked.entries:
        try:
            messages.append(mapping.new_message(entry, common))
            good.append(entry)
        except AwsError as error:
            failed.append(batch.refused(entry, error))
        except MessageTooLarge as error:
            failed.append(batch.refused(entry, mapping.too_large_in_batch(error)))
    stored = await queue.send(messages) if messages else []
    sent = [mapping.answer(*one, call.digests, one[0].id) for one in zip(good, messages, stored, strict=True)]
    return codec.SentBatch(sent, failed)


def _check_size(entries: Sequence[codec.NewMessage]) -> None:
    """Of all messages of a batch. Raises AwsError."""
    if (total := sum(map(mapping.size, entries))) > MAX_BATCH_BYTES:
        raise AwsError(
            errors.BATCH_TOO_LONG,
            f"Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {total} bytes.",
        )


# Receiving


async def receive_message(call: Call, queue: Queue, asked: codec.ReceiveMessage) -> codec.Messages:
    """Deliver messages, waiting for the first."""
    named = mapping.Named(asked.attribute_names + asked.message_system_attribute_names, asked.message_attribute_names)
    mapping.check_names(named.system)
    if queue.spec.consumers != "Shared":
        raise AwsError(
            errors.UNSUPPORTED,
            f"The queue's consumers are {queue.spec.consumers}, and SQS has no name for a consumer: receive over /v1/.",
        )
    limit = bounds.within("MaxNumberOfMessages", asked.max_number_of_messages, 1, MAX_RECEIVE) or 1
    visible_after = bounds.within("VisibilityTimeout", asked.visibility_timeout, 0, MAX_VISIBILITY)
    wait = bounds.wait(asked.wait_time_seconds)
    if (attempt := asked.receive_request_attempt_id) is None:
        messages = await queue.receive(limit, visibility_timeout=visible_after, wait=wait)
    else:
        mapping.check_attempt(attempt, queue.spec)
        messages = await call.topology.attempts.receive(
            queue, f"{call.key_id}/{attempt}", limit, visibility_timeout=visible_after, wait=wait
        )
    account, digests = call.account, call.digests

    def arn_of(name: str) -> str:
        return redrive.arn(account, name, queue.spec)

    return codec.Messages([mapping.message(one, named, account, arn_of, digests.take(one.id)) for one in messages])


# The table


class Operation(Struct, frozen=True):
    """What an operation takes and does, and what the query protocol calls its lists and maps."""

    takes: type[Any]
    """A Struct, with a queue_url where it is on a queue."""
    names: Names
    does: Callable[..., Awaitable[Struct | None]]
    """Of the call and what is asked; between the two, of its queue where it is on one."""
    verb: Verb | None
    """What its key must be allowed to do with its queue; None where it is on none."""


def _operation(takes: type[Struct], does: Callable[[Call, Any], Awaitable[Struct | None]]) -> Operation:
    return Operation(takes, codec.query_names(takes.__name__), does, None)


def _on_queue(
    verb: Verb, takes: type[Struct], does: Callable[[Call, Queue, Any], Awaitable[Struct | None]]
) -> Operation:
    return Operation(takes, codec.query_names(takes.__name__), does, verb)


OPERATIONS = {
    operation.takes.__name__: operation
    for operation in (
        _on_queue("manage", codec.AddPermission, permissions.add_permission),
        _operation(codec.CancelMessageMoveTask, moves.cancel_message_move_task),
        _on_queue("extend", codec.ChangeMessageVisibility, settling.change_message_visibility),
        _on_queue("extend", codec.ChangeMessageVisibilityBatch, settling.change_message_visibility_batch),
        _operation(codec.CreateQueue, queues.create_queue),
        _on_queue("acknowledge", codec.DeleteMessage, settling.delete_message),
        _on_queue("acknowledge", codec.DeleteMessageBatch, settling.delete_message_batch),
        _on_queue("manage", codec.DeleteQueue, queues.delete_queue),
        _on_queue("describe", codec.GetQueueAttributes, queues.get_queue_attributes),
        _operation(codec.GetQueueUrl, queues.get_queue_url),
        _on_queue("list_sources", codec.ListDeadLetterSourceQueues, moves.list_dead_letter_source_queues),
        _operation(codec.ListMessageMoveTasks, moves.list_message_move_tasks),
        _on_queue("manage", codec.ListQueueTags, tags.list_queue_tags),
        _operation(codec.ListQueues, queues.list_queues),
        _on_queue("purge", codec.PurgeQueue, queues.purge_queue),
        _on_queue("receive", codec.ReceiveMessage, receive_message),
        _on_queue("manage", codec.RemovePermission, permissions.remove_permission),
        _on_queue("send", codec.SendMessage, send_message),
        _on_queue("send", codec.SendMessageBatch, send_message_batch),
        _on_queue("manage", codec.SetQueueAttributes, queues.set_queue_attributes),
        _operation(codec.StartMessageMoveTask, moves.start_message_move_task),
        _on_queue("manage", codec.TagQueue, tags.tag_queue),
        _on_queue("manage", codec.UntagQueue, tags.untag_queue),
    )
}
