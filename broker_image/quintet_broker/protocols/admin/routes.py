"""The operator's and the kubelet's face: probes and metrics, open to all; the topology, behind a token."""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import ValidationError

from quintet_api.topology import TopologyDocument
from quintet_broker.errors import BrokerError, RevisionConflict
from quintet_broker.protocols.admin.metrics import render
from quintet_broker.protocols.keys import SETTINGS, TOPOLOGY

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of a topology document, unpacked: 5,000 queues are about 2.4 MB."""


def mount(app: web.Application, ready: Callable[[], bool]) -> None:
    """Add the routes to the application of the admin port."""
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", _readyz(ready))
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/admin/v1/topology", get_topology)
    app.router.add_put("/admin/v1/topology", put_topology)


async def healthz(_: web.Request) -> web.Response:
    """The event loop turns."""
    return web.Response(text="ok\n")


def _readyz(ready: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def readyz(_: web.Request) -> web.Response:
        """The store is connected and what it holds is restored."""
        if ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the store is not connected, or its topology not restored yet\n")

    return readyz


async def metrics(request: web.Request) -> web.Response:
    settings = request.app[SETTINGS]
    body, content_type = render(request.app[TOPOLOGY], settings.namespace, settings.pool)
    return web.Response(body=body, headers={"Content-Type": content_type})


async def get_topology(request: web.Request) -> web.Response:
    if refusal := _unauthorized(request):
        return refusal
    try:
        return _json((await request.app[TOPOLOGY].status()).model_dump_json(by_alias=True))
    except BrokerError as error:
        return _problem(503, type(error).__name__, error.message)


async def put_topology(request: web.Request) -> web.Response:
    """409 for a revision older than the applied one; a bad entry is told in the answer and spoils only itself."""
    if refusal := _unauthorized(request):
        return refusal
    try:
        document = TopologyDocument.model_validate_json(await request.read())
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"]) or "the document"
        return _problem(400, "InvalidDocument", f"{place}: {found['msg']}")
    topology = request.app[TOPOLOGY]
    try:
        await topology.apply(document)
        status = await topology.status()
    except RevisionConflict as error:
        return _problem(409, "RevisionConflict", error.message)
    except BrokerError as error:
        return _problem(503, type(error).__name__, error.message)
    return _json(status.model_dump_json(by_alias=True))


def _unauthorized(request: web.Request) -> web.Response | None:
    token = request.app[SETTINGS].admin_token
    given = request.headers.get("Authorization", "")
    # A header may hold bytes that are no text.
    if token and hmac.compare_digest(given.encode(errors="surrogateescape"), f"Bearer {token}".encode()):
        return None
    return _problem(401, "Unauthorized", "This needs the bearer token of the pool.")


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


def _problem(status: int, reason: str, detail: str) -> web.Response:
    problem = {"type": f"urn:quintet:problem:{reason}", "title": reason, "status": status, "detail": detail}
    return web.json_response(problem, status=status, content_type="application/problem+json")
