"""/v1/connect: where a client's WebSocket begins."""

import asyncio
from weakref import WeakSet

from aiohttp import web

from quintet_broker.errors import AccessDenied
from quintet_broker.protocols import connections
from quintet_broker.protocols.basic import key_id
from quintet_broker.protocols.keys import ACCESS
from quintet_broker.protocols.websocket import handshake
from quintet_broker.protocols.websocket.connection import Connection

PATH = "/v1/connect"
_OPEN = web.AppKey("connections", WeakSet[Connection])


def mount(app: web.Application) -> None:
    """Add the protocol to the clients' application, whose middleware tells refusals of /v1/."""
    app[_OPEN] = WeakSet()
    app.router.add_get(PATH, _connect)
    app.on_shutdown.append(_leave)


async def _connect(request: web.Request) -> web.StreamResponse:
    if "Origin" in request.headers:
        # With access off, any page that somebody looks at could use a broker on the same machine.
        raise AccessDenied("This is not for pages in a browser.")
    access = request.app[ACCESS]
    key = key_id(request, access) if access.enabled else None
    answer = await handshake.accept(request)
    wire = connections.of(request)
    assert wire is not None
    connection = Connection(request.app, wire, key)
    request.app[_OPEN].add(connection)
    await connection.serve()
    return answer


async def _leave(app: web.Application) -> None:
    await asyncio.gather(*(connection.leave() for connection in app[_OPEN]), return_exceptions=True)
