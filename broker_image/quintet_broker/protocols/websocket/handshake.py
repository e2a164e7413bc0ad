"""Handshake: how a request of HTTP becomes a WebSocket (RFC 6455, section 4.2)."""

import base64
import binascii
import hashlib
from collections.abc import Mapping

from aiohttp import web

from quintet_broker.errors import InvalidArgument

VERSION = "13"
_KEY_BYTES = 16
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def accept(request: web.Request) -> web.StreamResponse:
    """Answer that it is one from now on. Raises InvalidArgument."""
    headers = request.headers
    _check(headers)
    accepted = hashlib.sha1((headers["Sec-WebSocket-Key"].strip() + _GUID).encode()).digest()
    answer = web.StreamResponse(
        status=101,
        headers={
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": base64.b64encode(accepted).decode(),
        },
    )
    answer.force_close()
    await answer.prepare(request)
    return answer


def _check(headers: Mapping[str, str]) -> None:
    if headers.get("Upgrade", "").strip().lower() != "websocket":
        raise InvalidArgument("This is for WebSockets: see docs/protocol.md.")
    if "upgrade" not in [part.strip().lower() for part in headers.get("Connection", "").split(",")]:
        raise InvalidArgument("A WebSocket's request has the header Connection: Upgrade.")
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        raise InvalidArgument(f"The Sec-WebSocket-Version is {VERSION}.")
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise InvalidArgument(f"A Sec-WebSocket-Key is {_KEY_BYTES} bytes in base64.")
