"""/v1/: a queue's verbs as JSON over HTTP. `ROUTES` lists every operation; openapi.py describes them from it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct

from quintet_broker.errors import BrokerError, QueueNotFound
from quintet_broker.protocols.admission import ADMISSION, BODY
from quintet_broker.protocols.basic import key_id
from quintet_broker.protocols.http import codec, errors, mapping
from quintet_broker.protocols.keys import ACCESS, TOPOLOGY
from quintet_broker.services import queue
from quintet_broker.services.messages import Producer
from quintet_broker.services.permissions import Verb
from quintet_broker.services.spec import parse, patched, whole

Answer = Struct | None
Handler = Callable[[web.Request], Awaitable[Answer]]


class Route(Struct, frozen=True):
    """One operation of /v1/."""

    method: str
    path: str
    verb: Verb | None
    """What its key must allow; None for what is open to all."""
    handler: Handler
    body: Any = None
    """Type of the request's body."""
    answer: Any = None
    """Type of the answer's body; None for 204."""
    query: tuple[tuple[str, str], ...] = ()
    """(name, description) of query parameters."""


async def list_queues(request: web.Request) -> codec.Queues:
    """List the queues whose name begins with a prefix."""
    topology = request.app[TOPOLOGY]
    found = topology.queues(request.query.get("prefix", ""))
    told = await asyncio.gather(*map(_info_unless_deleted, found))
    return codec.Queues([info for info in told if info])


async def _info_unless_deleted(found: queue.Queue) -> codec.QueueInfo | None:
    try:
        return await mapping.info(found)
    except QueueNotFound:
        return None


async def get_queue(request: web.Request) -> codec.QueueInfo:
    """Tell what a queue is and how much it holds."""
    return await mapping.info(await _queue(request))


async def put_queue(request: web.Request) -> codec.QueueInfo:
    """Create a queue from the fields of a manifest's spec; an existing one must have the same."""
    topology = request.app[TOPOLOGY]
    # An existing one must have what is not said by its default.
    asked = patched(topology.defaults, codec.decode_fields(request[BODY]))
    return await mapping.info(await topology.create_queue(request.match_info["name"], whole(parse(asked))))


async def patch_queue(request: web.Request) -> codec.QueueInfo:
    """Change fields of a run-time queue's spec, as a JSON Merge Patch (RFC 7396): null sets one back to its default."""
    patch = codec.decode_fields(request[BODY])
    return await mapping.info(await request.app[TOPOLOGY].update_queue(request.match_info["name"], patch))


async def delete_queue(request: web.Request) -> None:
    """Delete a run-time queue and its messages."""
    await request.app[TOPOLOGY].delete_queue(request.match_info["name"])


async def purge_queue(request: web.Request) -> None:
    """Drop every message of a queue."""
    found = await _queue(request)
    await found.purge()


async def redrive_queue(request: web.Request) -> codec.Progress:
    """Bring messages of a dead-letter queue back, in place of a redrive that is under way."""
    body = codec.decode(request[BODY], codec.Redrive)
    target = None
    if body.target is not UNSET:
        _allow(request, "send", body.target)
        target = await request.app[TOPOLOGY].queue(body.target)
    found = await _queue(request)
    rate = None if body.rate is UNSET else body.rate
    limit = None if body.limit is UNSET else body.limit
    return mapping.progress(await found.redrive(target, rate=rate, limit=limit))


async def get_redrive(request: web.Request) -> codec.Progress:
    """Tell how far the last redrive has come."""
    found = await _queue(request)
    return mapping.progress(await found.redrive_progress())


async def stop_redrive(request: web.Request) -> codec.Progress:
    """Stop the redrive."""
    found = await _queue(request)
    return mapping.progress(await found.stop_redrive())


async def send(request: web.Request) -> codec.Sent:
    """Store messages, all or none; the answer confirms them."""
    body = codec.decode(request[BODY], codec.Send)
    messages = [mapping.new_message(message, place) for place, message in enumerate(body.messages)]
    producer = None if body.producer is UNSET else Producer(body.producer.id, body.producer.sequence)
    found = await _queue(request)
    return codec.Sent([sent.id for sent in await found.send(messages, producer)])


async def receive(request: web.Request) -> codec.Received:
    """Deliver messages, waiting for the first."""
    body = codec.decode(request[BODY], codec.Receive)
    found = await _queue(request)
    messages = await found.receive(
        body.limit,
        visibility_timeout=codec.seconds(body.visibility_timeout, "visibilityTimeout"),
        wait=codec.seconds(body.wait, "wait"),
        selector=None if body.selector is UNSET else body.selector,
        consumer=None if body.consumer is UNSET else body.consumer,
    )
    return codec.Received([mapping.message(message) for message in messages])


async def close_consumer(request: web.Request) -> None:
    """End the receives of a consumer, which asks for nothing more: another may become active."""
    found = await _queue(request)
    await found.close_consumer(request.match_info["consumer"])


async def peek(request: web.Request) -> codec.Peeked:
    """Look at messages that are visible or in flight, without receiving them."""
    body = codec.decode(request[BODY], codec.Peek)
    found = await _queue(request)
    return mapping.peeked(await found.peek(body.limit, None if body.start is UNSET else body.start))


async def tail(request: web.Request) -> codec.Tailed:
    """Look at messages that came since the last look, without receiving them."""
    body = codec.decode(request[BODY], codec.Tail)
    found = await _queue(request)
    start = None if body.start is UNSET else body.start
    since = None if body.since is UNSET else body.since
    return mapping.tailed(await found.tail(body.limit, start, since))


async def acknowledge(request: web.Request) -> codec.Results:
    """Settle messages for good."""
    body = codec.decode(request[BODY], codec.Receipts)
    found = await _queue(request)
    return _results(await found.acknowledge(body.receipts))


async def release(request: web.Request) -> codec.Results:
    """Make messages visible again now."""
    body = codec.decode(request[BODY], codec.Releases)
    found = await _queue(request)
    return _results(await found.release(body.receipts, delivered=body.delivered))


async def extend(request: web.Request) -> codec.Results:
    """Hide messages longer."""
    body = codec.decode(request[BODY], codec.Extensions)
    wanted = [
        (extension.receipt, codec.seconds(extension.visibility_timeout, f"extensions[{place}]") or 0.0)
        for place, extension in enumerate(body.extensions)
    ]
    found = await _queue(request)
    return _results(await found.extend(wanted))


QUEUE = "/v1/queues/{name}"
MESSAGES = f"{QUEUE}/messages"
ROUTES = (
    Route("GET", "/v1/queues", "manage", list_queues, None, codec.Queues, (("prefix", "Names begin with this."),)),
    Route("GET", QUEUE, "describe", get_queue, None, codec.QueueInfo),
    Route("PUT", QUEUE, "manage", put_queue, dict[str, Any], codec.QueueInfo),
    Route("PATCH", QUEUE, "manage", patch_queue, dict[str, Any], codec.QueueInfo),
    Route("DELETE", QUEUE, "manage", delete_queue),
    Route("POST", f"{QUEUE}:purge", "purge", purge_queue),
    Route("POST", f"{QUEUE}:redrive", "redrive", redrive_queue, codec.Redrive, codec.Progress),
    Route("GET", f"{QUEUE}:redrive", "redrive", get_redrive, None, codec.Progress),
    Route("DELETE", f"{QUEUE}:redrive", "redrive", stop_redrive, None, codec.Progress),
    Route("POST", MESSAGES, "send", send, codec.Send, codec.Sent),
    Route("POST", f"{MESSAGES}:receive", "receive", receive, codec.Receive, codec.Received),
    Route("DELETE", f"{QUEUE}/consumers/{{consumer}}", "receive", close_consumer),
    Route("POST", f"{MESSAGES}:peek", "receive", peek, codec.Peek, codec.Peeked),
    Route("POST", f"{MESSAGES}:tail", "receive", tail, codec.Tail, codec.Tailed),
    Route("POST", f"{MESSAGES}:acknowledge", "acknowledge", acknowledge, codec.Receipts, codec.Results),
    Route("POST", f"{MESSAGES}:release", "extend", release, codec.Releases, codec.Results),
    Route("POST", f"{MESSAGES}:extend", "extend", extend, codec.Extensions, codec.Results),
)


def mount(app: web.Application) -> None:
    """Add every operation to the clients' application."""
    app.middlewares.append(errors.problems)
    for route in ROUTES:
        # A name ends at the colon that begins a verb.
        path = route.path.replace("{name}", "{name:[^/:]+}")
        app.router.add_route(route.method, path, _serving(route))


def _serving(route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        _authorize(request, route)
        async with request.app[ADMISSION].body(request) as request[BODY]:
            answer = await route.handler(request)
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    return serve


def _authorize(request: web.Request, route: Route) -> None:
    if route.verb:
        _allow(request, route.verb, request.match_info.get("name"))


def _allow(request: web.Request, verb: Verb, queue: str | None) -> None:
    access = request.app[ACCESS]
    if access.enabled:
        access.check(key_id(request, access), verb, queue)


async def _queue(request: web.Request) -> queue.Queue:
    return await request.app[TOPOLOGY].queue(request.match_info["name"])


def _results(results: list[BrokerError | None]) -> codec.Results:
    return codec.Results([codec.Problem(**errors.problem(error)) if error else None for error in results])
