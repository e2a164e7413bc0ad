"""SQS's operations on dead-letter queues: a message move task is a redrive."""

import base64
import binascii

import msgspec
from msgspec import Struct

from quintet_broker.engine.requests import Progress
from quintet_broker.engine.state.redrive import REMEMBERED
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
    rate = bounds.within("MaxNumberOfMessagesPerSecond", asked.max_number_of_messages_per_second, 1, MAX_RATE)
    source = await _of_arn(call, asked.source_arn, "SourceArn", "redrive")
    target = await _of_arn(call, asked.destination_arn, "DestinationArn", "send") if asked.destination_arn else None
    if not _sources(call, source):
        raise AwsError(INVALID_VALUE, "Source queue must be configured as a Dead Letter Queue.")
    if (await source.redrive_progress()).running:
        raise AwsError(
            INVALID_VALUE,
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        )
    started = await source.redrive(target, rate=rate)
    return codec.MoveTask(_handle(asked.source_arn, started))


async def list_message_move_tasks(call: Call, asked: codec.ListMessageMoveTasks) -> codec.MoveTasks:
    """Tell how far the last tasks have come, the newest first; one where MaxResults is not given."""
    most = bounds.within("MaxResults", asked.max_results, 1, REMEMBERED) or 1
    source = await _of_arn(call, asked.source_arn, "SourceArn", "redrive")
    return codec.MoveTasks([_told(call, asked.source_arn, one) for one in (await source.redrives())[:most]])


def _told(call: Call, source_arn: str, found: Progress) -> codec.MoveTaskResult:
    target = None
    if found.target is not None:
        target = next((one for one in call.topology.queues() if one.spread.number == found.target), None)
    status, reason = _status(found), None
    if status == "COMPLETED" and found.target is not None and target is None and found.moved < found.asked:
        status, reason = "FAILED", errors.QUEUE_NOT_FOUND.code
    return codec.MoveTaskResult(
        task_handle=_handle(source_arn, found) if found.running else None,
        status=status,
        source_arn=source_arn,
        destination_arn=redrive.arn(call.account, target.name, target.spec) if target else None,
        max_number_of_messages_per_second=None if found.rate is None else int(found.rate),
        approximate_number_of_messages_moved=found.moved,
        approximate_number_of_messages_to_move=found.asked,
        failure_reason=reason,
        started_timestamp=found.started_at or 0,
    )


def _status(found: Progress) -> str:
    if found.stopped:
        return "CANCELLING" if found.running else "CANCELLED"
    return "RUNNING" if found.running else "COMPLETED"


async def cancel_message_move_task(call: Call, asked: codec.CancelMessageMoveTask) -> codec.CancelledMove:
    """Stop a task that is running."""
    try:
        handle = msgspec.json.decode(base64.b64decode(asked.task_handle, validate=True), type=Handle)
    except (binascii.Error, ValueError) as error:
        raise AwsError(INVALID_VALUE, "Value for parameter TaskHandle is invalid.") from error
    source = await _of_arn(call, handle.source_arn, "SourceArn", "redrive")
    found = await source.redrive_progress()
    if not found.running or found.stopped or found.started_at != handle.task_id:
        raise AwsError(errors.TASK_NOT_FOUND, "Task does not exist.")
    return codec.CancelledMove((await source.stop_redrive()).moved)


async def list_dead_letter_source_queues(
    call: Call, queue: Queue, asked: codec.ListDeadLetterSourceQueues
) -> codec.SourceQueueUrls:
    """List the queues whose dead-letter queue this is, sorted by name, in pages."""
    some, token = bounds.page(_sources(call, queue), asked.max_results, asked.next_token)
    return codec.SourceQueueUrls([call.url(one) for one in some], token)


def _sources(call: Call, queue: Queue) -> list[Queue]:
    return [one for one in call.topology.queues() if one.spec.dead_letter and one.spec.dead_letter.queue == queue.name]


async def _of_arn(call: Call, arn: str, parameter: str, verb: Verb) -> Queue:
    """Raises AwsError, AccessDenied."""
    found = redrive.ARN.fullmatch(arn)
    if not found:
        form = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        raise AwsError(INVALID_VALUE, f"You must use this format to specify the {parameter}: {form}")
    call.allow(verb, names.plain(found[2]))
    try:
        if found[1] != call.account:
            raise QueueNotFound
        return await names.found(call.topology, found[2])
    except QueueNotFound as error:
        text = f"The resource that you specified for the {parameter} parameter doesn't exist."
        raise AwsError(errors.TASK_NOT_FOUND, text) from error


def _handle(arn: str, found: Progress) -> str:
    return base64.b64encode(msgspec.json.encode(Handle(found.started_at or 0, arn))).decode()
