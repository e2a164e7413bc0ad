"""SQS's operations on dead-letter queues: a message move task is a redrive."""

import base64
import binascii
import re

import msgspec
from msgspec import Struct

from quintet_broker.engine.requests import Progress
from quintet_broker.errors import QueueNotFound
from quintet_broker.protocols.aws.errors import INVALID_VALUE, AwsError
from quintet_broker.protocols.sqs import bounds, codec, errors, names, redrive
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.services.permissions import Verb
from quintet_broker.services.queue import Queue

MAX_RATE = 500


class Handle(Struct, rename="camel"):
    """What a TaskHandle holds, as JSON in base64."""

    task_id: int
    """Millisecond at which the task was started."""
    source_arn: str


async def start_message_move_task(call: Call, asked: codec.StartMessageMoveTask) -> codec.MoveTask:
    """Bring the messages of a dead-letter queue back to their sources, or to one queue."""
    rate = asked.max_number_of_messages_per_second
    if rate is not None and not 1 <= rate <= MAX_RATE:
        raise AwsError(
            INVALID_VALUE,
            f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and "
            f"{MAX_RATE}, if provided.",
        )
    source = await _of_arn(call, asked.source_arn, "redrive")
    target = await _of_arn(call, asked.destination_arn, "send") if asked.destination_arn else None
    if not _sources(call, source):
        raise AwsError(INVALID_VALUE, "Source queue must be configured as a Dead Letter Queue.")
    if (await source.redrive_progress()).running:
        raise AwsError(
            errors.UNSUPPORTED,
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        )
    started = await source.redrive(target, rate=rate)
    return codec.MoveTask(_handle(asked.source_arn, started))


async def list_message_move_tasks(call: Call, asked: codec.ListMessageMoveTasks) -> codec.MoveTasks:
    """Tell how far the last task has come."""
    source = await _of_arn(call, asked.source_arn, "redrive")
    found = await source.redrive_progress()
    if found.started_at is None:
        return codec.MoveTasks([])
    told = codec.MoveTaskResult(
        task_handle=_handle(asked.source_arn, found) if found.running else None,
        status="RUNNING" if found.running else "COMPLETED",
        source_arn=asked.source_arn,
        max_number_of_messages_per_second=None if found.rate is None else int(found.rate),
        approximate_number_of_messages_moved=found.moved,
        approximate_number_of_messages_to_move=found.moved + found.left,
        started_timestamp=found.started_at,
    )
    return codec.MoveTasks([told])


async def cancel_message_move_task(call: Call, asked: codec.CancelMessageMoveTask) -> codec.CancelledMove:
    """Stop a task that is running."""
    try:
        handle = msgspec.json.decode(base64.b64decode(asked.task_handle, validate=True), type=Handle)
    except (binascii.Error, ValueError) as error:
        raise AwsError(INVALID_VALUE, "The TaskHandle is not one of this service.") from error
    source = await _of_arn(call, handle.source_arn, "redrive")
    found = await source.redrive_progress()
    if not found.running or found.started_at != handle.task_id:
        raise AwsError(errors.TASK_NOT_FOUND, "The task does not exist, or is not running.")
    return codec.CancelledMove((await source.stop_redrive()).moved)


async def list_dead_letter_source_queues(call: Call, asked: codec.ListDeadLetterSourceQueues) -> codec.SourceQueueUrls:
    """List the queues whose dead-letter queue this is, sorted by name, in pages."""
    found = await call.queue(asked.queue_url, "list_sources")
    some, token = bounds.page(_sources(call, found), asked.max_results, asked.next_token)
    return codec.SourceQueueUrls([call.url(one) for one in some], token)


def _sources(call: Call, queue: Queue) -> list[Queue]:
    return [one for one in call.topology.queues() if one.spec.dead_letter and one.spec.dead_letter.queue == queue.name]


async def _of_arn(call: Call, arn: str, verb: Verb) -> Queue:
    """Raises AwsError, AccessDenied, QueueNotFound."""
    found = re.fullmatch(rf"arn:[^:]+:sqs:[^:]*:{call.account}:([^:]+)", arn)
    if not found:
        wanted = f"arn:aws:sqs:{redrive.REGION}:{call.account}:<queue>"
        raise AwsError(INVALID_VALUE, f"Value {arn[:300]} for an ARN is invalid. Reason: It must be {wanted}.")
    call.allow(verb, names.plain(found[1]))
    try:
        return await names.found(call.topology, found[1])
    except QueueNotFound as error:
        raise AwsError(
            errors.TASK_NOT_FOUND, "The resource that you specified for the SourceArn parameter doesn't exist."
        ) from error


def _handle(arn: str, found: Progress) -> str:
    return base64.b64encode(msgspec.json.encode(Handle(found.started_at or 0, arn))).decode()
