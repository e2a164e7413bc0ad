"""What both ways to a broker have in common, the WebSocket and single requests."""

import base64
import os

import aiohttp


def session(key_id: str | None, secret: str | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers=_credentials(key_id, secret),
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _credentials(key_id: str | None, secret: str | None) -> dict[str, str]:
    """Basic, as RFC 7617 has it."""
    packed = base64.b64encode(f"{key_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {packed}"} if key_id else {}


def reason(error: aiohttp.ClientConnectorError) -> str:
    """`connection refused`, where it is the system's."""
    number = error.os_error.errno
    if isinstance(error, aiohttp.ClientSSLError) or not number or number < 0:
        return str(error.os_error)
    return os.strerror(number).lower()
