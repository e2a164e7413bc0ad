"""Operations on queues as a whole."""

from collections.abc import Mapping

from quintet_broker.errors import QueueExists, QueueNotFound
from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs import attributes, bounds, codec, errors, names, redrive, tags
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.services.extras import Extras
from quintet_broker.services.queue import Queue


async def create_queue(call: Call, asked: codec.CreateQueue) -> codec.QueueUrl:
    """Make a queue; one that exists must agree with the attributes that are given."""
    name = asked.queue_name
    call.allow("manage", names.plain(name))
    tags.check(asked.tags, {}, name)
    wanted = attributes.changes(call.topology.defaults, Extras(), asked.attributes, call.account, name, is_new=True)
    names.check_new(name, is_fifo=wanted.spec.get("ordering") == "Fifo")
    await _check_dead_letter(call, name, wanted, asked.attributes)
    spec, extras = {"ordering": "Standard"} | wanted.spec, wanted.extras | {"tags": asked.tags}
    try:
        made = await call.topology.create_queue(names.plain(name), spec, extras)
    except QueueExists as error:
        raise await _exists(call, name, asked.attributes, wanted, error) from error
    return codec.QueueUrl(call.url(made))


async def _exists(
    call: Call, name: str, given: Mapping[str, str], wanted: attributes.Changes, error: QueueExists
) -> AwsError:
    """In AWS's words, where the attribute can be told in which the queue differs."""
    try:
        queue = await call.topology.queue(names.plain(name))
    except QueueNotFound:
        return errors.translated(error)
    if found := attributes.different(queue, given, wanted, call.account):
        text = f"A queue already exists with the same name and a different value for attribute {found}"
        return AwsError(errors.QUEUE_EXISTS, text)
    return errors.translated(error)


async def get_queue_url(call: Call, asked: codec.GetQueueUrl) -> codec.QueueUrl:
    """Tell a queue's address."""
    call.allow("locate", names.plain(asked.queue_name))
    if asked.queue_owner_account not in (None, call.account):
        raise QueueNotFound(f"This endpoint has the queues of account {call.account} only.")
    return codec.QueueUrl(call.url(await names.found(call.topology, asked.queue_name)))


async def list_queues(call: Call, asked: codec.ListQueues) -> codec.QueueUrls:
    """List queues, sorted by name, in pages."""
    call.allow("manage", None)
    found = [one for one in call.topology.queues() if names.shown(one).startswith(asked.queue_name_prefix)]
    some, token = bounds.page(found, asked.max_results, asked.next_token)
    return codec.QueueUrls([call.url(one) for one in some], token)


async def delete_queue(call: Call, queue: Queue, _: codec.DeleteQueue) -> None:
    """Delete a run-time queue and its messages."""
    await call.topology.delete_queue(queue.name)


async def purge_queue(_: Call, queue: Queue, __: codec.PurgeQueue) -> None:
    """Drop every message of a queue."""
    await queue.purge()


async def get_queue_attributes(call: Call, queue: Queue, asked: codec.GetQueueAttributes) -> codec.QueueAttributes:
    """Tell what a queue is and how much it holds."""
    return codec.QueueAttributes(await attributes.shown(queue, asked.attribute_names, call.account))


async def set_queue_attributes(call: Call, queue: Queue, asked: codec.SetQueueAttributes) -> None:
    """Change a run-time queue."""
    name = names.shown(queue)
    wanted = attributes.changes(queue.spec, queue.extras, asked.attributes, call.account, name)
    await _check_dead_letter(call, name, wanted, asked.attributes)
    await call.topology.update_queue(queue.name, wanted.spec, wanted.extras)


async def _check_dead_letter(call: Call, name: str, wanted: attributes.Changes, given: Mapping[str, str]) -> None:
    """Whether the dead-letter queue takes what comes from this queue. Raises AwsError."""
    if not (dead_letter := wanted.spec.get("deadLetter")):
        return
    try:
        target = await call.topology.queue(dead_letter["queue"])
    except QueueNotFound as error:
        raise redrive.bad(given["RedrivePolicy"], "Dead letter target does not exist") from error
    if not redrive.allows(target.extras, call.account, name):
        raise redrive.bad(
            given["RedrivePolicy"], f"The {redrive.ALLOW} of the dead-letter queue does not allow this queue"
        )
