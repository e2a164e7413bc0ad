"""Tags of run-time queues.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html
"""

import re
from collections.abc import Mapping

from quintet_broker.protocols.aws.errors import INVALID_VALUE, MISSING_PARAMETER, AwsError
from quintet_broker.protocols.sqs import codec
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.services.queue import Queue

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256

_ALLOWED = re.compile(r"[\w\s+=.:/@-]*")


async def tag_queue(call: Call, queue: Queue, asked: codec.TagQueue) -> None:
    """Add tags, and change those that are there."""
    if not asked.tags:
        raise AwsError(MISSING_PARAMETER, "The request must contain the parameter Tags.")
    check(asked.tags, queue.extras.tags, queue.name)
    await call.topology.update_queue(queue.name, {}, {"tags": asked.tags})


async def untag_queue(call: Call, queue: Queue, asked: codec.UntagQueue) -> None:
    """Remove tags, by their keys."""
    if not asked.tag_keys:
        raise AwsError(MISSING_PARAMETER, "The request must contain the parameter TagKeys.")
    await call.topology.update_queue(queue.name, {}, {"tags": dict.fromkeys(asked.tag_keys)})


async def list_queue_tags(_: Call, queue: Queue, __: codec.ListQueueTags) -> codec.QueueTags:
    """Tell all tags."""
    return codec.QueueTags(queue.extras.tags)


def check(tags: Mapping[str, str], held: Mapping[str, str], queue: str) -> None:
    """Of tags that a queue is to have beside those that it has. Raises AwsError."""
    if len(tags.keys() | held.keys()) > MAX_TAGS:
        raise AwsError(INVALID_VALUE, f"Too many tags added for queue {queue}.")
    for key, value in tags.items():
        if not 1 <= len(key) <= MAX_KEY:
            raise AwsError(INVALID_VALUE, f"Tag keys must be between 1 and {MAX_KEY} characters in length.")
        if len(value) > MAX_VALUE:
            raise AwsError(INVALID_VALUE, f"Tag values must be between 0 and {MAX_VALUE} characters in length.")
        if not (_ALLOWED.fullmatch(key) and _ALLOWED.fullmatch(value)):
            raise AwsError(INVALID_VALUE, f"The tag {key!a} can only have letters, digits, spaces and _ . : / = + - @.")
        if key.lower().startswith("aws:"):
            raise AwsError(INVALID_VALUE, f"The tag key {key!a} begins with aws:, which is reserved.")
