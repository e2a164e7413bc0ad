"""/v1/connect: where a client's WebSocket begins."""

import asyncio
from weakref import WeakSet

from aiohttp import WSCloseCode, web

from quintet_broker.errors import AccessDenied, BrokerError, InvalidArgument, Overloaded
from quintet_broker.protocols import connections
from quintet_broker.protocols.basic import key_id
from quintet_broker.protocols.keys import ACCESS
from quintet_broker.protocols.websocket import codec
from quintet_broker.protocols.websocket.connection import REASON_BYTES, Connection

PATH = "/v1/connect"
HEARTBEAT = 20.0
"""Seconds of silence after which a client is pinged; one that says nothing for half of it then counts as gone."""
_OPEN = web.AppKey("connections", WeakSet[Connection])


def mount(app: web.Application) -> None:
    """Add the protocol to the clients' application, whose middleware tells refusals of /v1/."""
    app[_OPEN] = WeakSet()
    app.router.add_get(PATH, _connect)
    app.on_shutdown.append(_leave)


async def _connect(request: web.Request) -> web.WebSocketResponse:
    if "Origin" in request.headers:
        # With access off, any page that somebody looks at could use a broker on the same machine.
        raise AccessDenied("This is not for pages in a browser.")
    access = request.app[ACCESS]
    key = key_id(request, access) if access.enabled else None
    # aiohttp refuses what has as many bytes as that.
    longest = codec.FRAME_BYTES + 1
    socket = web.WebSocketResponse(max_msg_size=longest, compress=False, heartbeat=HEARTBEAT)
    if not socket.can_prepare(request):
        raise InvalidArgument(f"{PATH} is for WebSockets: see docs/protocol.md.")
    await socket.prepare(request)
    if wire := connections.of(request):
        wire.farewell = _farewell
    connection = Connection(request, socket, key)
    request.app[_OPEN].add(connection)
    await connection.serve()
    return socket


def _farewell(error: BrokerError) -> bytes:
    """A close frame: what was written before are whole frames."""
    code = WSCloseCode.TRY_AGAIN_LATER if isinstance(error, Overloaded) else WSCloseCode.POLICY_VIOLATION
    content = code.to_bytes(2) + error.message.encode()[:REASON_BYTES]
    return bytes([0x88, len(content)]) + content


async def _leave(app: web.Application) -> None:
    await asyncio.gather(*(connection.leave() for connection in app[_OPEN]), return_exceptions=True)
