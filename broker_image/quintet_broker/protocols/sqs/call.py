"""Call: one request of a client, before its operation is looked at."""

from msgspec import Struct

from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs import names
from quintet_broker.protocols.sqs.errors import QUEUE_NOT_FOUND
from quintet_broker.services.access import Access
from quintet_broker.services.permissions import Verb
from quintet_broker.services.queue import Queue
from quintet_broker.services.topology import Topology


class Call(Struct, frozen=True):
    """Who asks, through which address, and what it may reach."""

    topology: Topology
    access: Access
    key_id: str | None
    account: str
    base_url: str
    """Scheme and host that were called."""
    trace: str | None = None
    """What the request says of its trace: the header X-Amzn-Trace-Id."""

    async def queue(self, url: str, verb: Verb) -> Queue:
        """The queue of a QueueUrl, whatever host that names. Raises AwsError, QueueNotFound, AccessDenied."""
        _, _, way = url.rpartition(f"/{self.account}/")
        self.allow(verb, names.plain(way) or None)
        if not way:
            text = f"The specified queue does not exist: its QueueUrl must end in /{self.account}/<queue>."
            raise AwsError(QUEUE_NOT_FOUND, text)
        return await names.found(self.topology, way)

    def allow(self, verb: Verb, name: str | None) -> None:
        """Raises AccessDenied unless the caller may do that, with a queue or (None) with the pool."""
        self.access.check(self.key_id, verb, name)

    def url(self, queue: Queue) -> str:
        return f"{self.base_url}/{self.account}/{names.shown(queue)}"
