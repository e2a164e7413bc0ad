"""What queues are called: a Fifo queue `orders` is `orders.fifo` to SQS."""

import re

from quintet_api.queue import sqs_name
from quintet_broker.errors import QueueNotFound
from quintet_broker.protocols.aws.errors import INVALID_VALUE, AwsError
from quintet_broker.services.queue import Queue
from quintet_broker.services.topology import Topology

SUFFIX = ".fifo"
MOST = 80
"""Characters of a FIFO queue's name, with the suffix."""

_PLAIN = re.compile("[A-Za-z0-9_-]{1,80}")


def plain(name: str) -> str:
    """The name of the queue that SQS calls `name`."""
    return name.removesuffix(SUFFIX)


def shown(queue: Queue) -> str:
    return sqs_name(queue.name, queue.spec.ordering)


async def found(topology: Topology, name: str) -> Queue:
    """The queue that SQS calls `name`. Raises QueueNotFound, Unavailable."""
    queue = await topology.queue(plain(name))
    if shown(queue) != name:
        raise QueueNotFound(f"The queue {name} does not exist.")
    return queue


def check_new(name: str, is_fifo: bool) -> None:
    """Of a queue that is to be made. Raises AwsError."""
    if is_fifo and not (name.endswith(SUFFIX) and len(name) <= MOST and _PLAIN.fullmatch(plain(name))):
        raise AwsError(
            INVALID_VALUE,
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with "
            ".fifo suffix and be 1 to 80 in length.",
        )
    if not is_fifo and not _PLAIN.fullmatch(name):
        raise AwsError(
            INVALID_VALUE, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
