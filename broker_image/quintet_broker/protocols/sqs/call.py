"""Call: one request of a client, before its operation is looked at."""

from msgspec import Struct

from quintet_broker.protocols.aws import json_rpc, query
from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs import names
from quintet_broker.protocols.sqs.digest import Digests
from quintet_broker.protocols.sqs.errors import QUEUE_NOT_FOUND
from quintet_broker.protocols.whole import Request
from quintet_broker.services.access import Access
from quintet_broker.services.permissions import Verb
from quintet_broker.services.queue import Queue
from quintet_broker.services.topology import Topology

Exchange = json_rpc.Exchange | query.Exchange
"""In either protocol."""


class Call(Struct, frozen=True, gc=False):
    """Who asks, through which address, and what it may reach."""

    topology: Topology
    access: Access
    account: str
    digests: Digests
    request: Request
    exchange: Exchange
    key_id: str | None

    @property
    def trace(self) -> str | None:
        """What the request says of its trace: the header X-Amzn-Trace-Id."""
        trace = self.request.headers.get(b"x-amzn-trace-id")
        return trace.decode() if trace else None

    def named(self, url: str, verb: Verb) -> tuple[str, Queue | None]:
        """What SQS calls the queue of a QueueUrl, whatever host that names; and the queue, if this broker has heard of
        it already. Raises AwsError, AccessDenied."""
        _, _, name = url.rpartition(f"/{self.account}/")
        plain = names.plain(name)
        self.allow(verb, plain or None)
        if not name:
            text = f"The specified queue does not exist: its QueueUrl must end in /{self.account}/<queue>."
            raise AwsError(QUEUE_NOT_FOUND, text)
        queue = self.topology.known(plain)
        return name, queue if queue and names.shown(queue) == name else None

    def allow(self, verb: Verb, name: str | None) -> None:
        """Raises AccessDenied unless the caller may do that, with a queue or (None) with the pool."""
        self.access.check(self.key_id, verb, name)

    def url(self, queue: Queue) -> str:
        """With the host that was called."""
        host = self.request.headers.get(b"host", b"").decode()
        return f"http://{host}/{self.account}/{names.shown(queue)}"
