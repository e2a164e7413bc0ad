"""The face of SQS: requests in both protocols of AWS, over the lane or aiohttp, end in the functions of routes.py."""

import time
from typing import NoReturn
from urllib.parse import unquote

from aiohttp import web
from msgspec import structs

from quintet_broker.errors import BrokerError
from quintet_broker.protocols.admission import Admission
from quintet_broker.protocols.aws import json_rpc, query, sigv4
from quintet_broker.protocols.aws.errors import MALFORMED, MISSING_ACTION, TOO_LARGE, UNKNOWN_ACTION, AwsError
from quintet_broker.protocols.sqs import errors, names
from quintet_broker.protocols.sqs.call import Call, Exchange
from quintet_broker.protocols.sqs.digest import Digests
from quintet_broker.protocols.sqs.routes import OPERATIONS
from quintet_broker.protocols.whole import Answer, Request, joined
from quintet_broker.services.access import Access
from quintet_broker.services.topology import Topology

NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"
TARGET = "AmazonSQS."
"""What X-Amz-Target has before the operation."""
ADDRESSES = "/", "/{account:[0-9]{12}}/{queue}"

REFUSED = AwsError, BrokerError, web.HTTPRequestEntityTooLarge, UnicodeError


class Face:
    """Belongs to one application."""

    def __init__(self, topology: Topology, access: Access, account: str, admission: Admission) -> None:
        self._topology = topology
        self._access = access
        self._account = account
        self._digests = Digests()
        self._admission = admission

    def mount(self, app: web.Application) -> None:
        """Add the addresses of SQS to the clients' application."""
        for path in ADDRESSES:
            app.router.add_post(path, self._handle)
            app.router.add_get(path, self._handle)

    async def serve(self, request: Request) -> Answer:
        """The answer to a request that has come whole."""
        size = len(request.body)
        try:
            self._admission.take(size)
            try:
                return await self._done(request)
            finally:
                self._admission.give_back(size)
        except REFUSED as error:
            return _refusal(request, error)

    async def _handle(self, request: web.Request) -> web.Response:
        """The same over aiohttp, where a body may be still to come."""
        came = Request(request.method, request.raw_path, joined(request.raw_headers), b"")
        try:
            async with self._admission.body(request) as body:
                answer = await self._done(structs.replace(came, body=body))
        except REFUSED as error:
            answer = _refusal(came, error)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    async def _done(self, request: Request) -> Answer:
        exchange = _exchange(request)
        key_id = sigv4.verify(request, "sqs", self._access.secret, time.time()) if self._access.enabled else None
        call = Call(self._topology, self._access, self._account, self._digests, request, exchange, key_id)
        operation = OPERATIONS.get(exchange.action) or _no_operation(exchange.action)
        asked = exchange.read(operation.takes, operation.names)
        if operation.verb is None:
            output = await operation.does(call, asked)
        else:
            name, queue = call.named(asked.queue_url, operation.verb)
            queue = queue or await names.found(self._topology, name)
            output = await operation.does(call, queue, asked)
        return exchange.answer(output, operation.names)


def _exchange(request: Request) -> Exchange:
    if target := request.headers.get(b"x-amz-target"):
        return json_rpc.Exchange(target.decode(errors="surrogateescape").removeprefix(TARGET), request.body)
    path, _, text = request.target.partition("?")
    given = query.parameters(text, request.body)
    if path != "/" and all(name != "QueueUrl" for name, _ in given):
        given.append(("QueueUrl", unquote(path)))
    return query.Exchange(given, NAMESPACE)


def _no_operation(action: str) -> NoReturn:
    if not action:
        raise AwsError(MISSING_ACTION, "The request must contain the parameter Action: this address speaks Amazon SQS.")
    raise AwsError(UNKNOWN_ACTION, f"The action {action[:100]!a} is not valid for this endpoint.")


def _refusal(request: Request, error: Exception) -> Answer:
    """In the words of the protocol that is spoken."""
    is_json = b"x-amz-target" in request.headers
    return (json_rpc.Exchange("", b"") if is_json else query.Exchange([], NAMESPACE)).refuse(_in_words_of_aws(error))


def _in_words_of_aws(error: Exception) -> AwsError:
    if isinstance(error, AwsError):
        return error
    if isinstance(error, BrokerError):
        return errors.translated(error)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return AwsError(TOO_LARGE, f"The request is too large: {error.text}")
    # A header may hold bytes that are no text, as nothing else can: Host and the signature's parts.
    return AwsError(MALFORMED, "The request's headers must be UTF-8.")
