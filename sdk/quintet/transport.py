"""Transport: requests of one client over HTTP, and which failures are worth another attempt."""

import asyncio
import base64
import os
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
import msgspec

from quintet.errors import RETRIED, ClientClosed, ConnectionLost, QuintetError, TimedOut, Unavailable
from quintet.retry import pauses
from quintet.wire import Problem

ATTEMPT = 12.0
"""Seconds for one attempt; a broker gives up on its store after 10."""
CONNECT = 5.0
"""Seconds."""
LEAST = 0.05
"""Seconds; to aiohttp 0 would be no limit."""


class Transport:
    """One HTTP session. Not thread-safe: it belongs to the event loop that it was made in."""

    def __init__(self, url: str, key_id: str | None, secret: str | None, timeout: float) -> None:
        self._timeout = timeout
        self._patience = min(ATTEMPT, timeout)
        self._base = url.rstrip("/")
        self._where = urlsplit(url).netloc
        self._session = aiohttp.ClientSession(
            headers=_credentials(key_id, secret),
            # As many connections as there are receives waiting, and four for each queue.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: bytes | None = None, *, wait: float = 0) -> bytes:
        """The answer's body, asked for again until the timeout, beside `wait` seconds that the broker may take.

        Raises QuintetError: the refusal, or the last failure.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._timeout + wait
        for pause in pauses():
            left = max(ends_at - loop.time(), LEAST)
            try:
                return await self.attempt(method, path, body, within=min(self._patience + wait, left))
            except RETRIED:
                if loop.time() + pause >= ends_at:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def attempt(self, method: str, path: str, body: bytes | None = None, *, within: float = 0) -> bytes:
        """The answer's body, within so many seconds (0: as long as one attempt may take). Raises QuintetError."""
        within = within or self._patience
        if self._session.closed:
            raise ClientClosed
        limits = aiohttp.ClientTimeout(total=within, connect=min(CONNECT, within))
        headers = {"Content-Type": "application/json"} if body is not None else None
        try:
            async with self._session.request(
                method,
                self._base + path,
                data=None if body is None else BytesIO(body),
                headers=headers,
                timeout=limits,
                allow_redirects=False,
            ) as response:
                answer = await response.read()
        except TimeoutError as error:
            raise TimedOut(f"{self._where} did not answer within {within:.3g} s.") from error
        except aiohttp.ClientConnectorError as error:
            raise ConnectionLost(f"{self._where} cannot be reached: {_reason(error)}") from error
        except aiohttp.ClientError as error:
            raise ConnectionLost(f"The connection to {self._where} broke: {error or type(error).__name__}") from error
        if response.status >= 300:
            raise _refusal(response.status, answer)
        return answer


def _credentials(key_id: str | None, secret: str | None) -> dict[str, str]:
    """Basic, as RFC 7617 has it."""
    packed = base64.b64encode(f"{key_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {packed}"} if key_id else {}


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """`connection refused`, where it is the system's."""
    number = error.os_error.errno
    if isinstance(error, aiohttp.ClientSSLError) or not number or number < 0:
        return str(error.os_error)
    return os.strerror(number).lower()


def _refusal(status: int, answer: bytes) -> QuintetError:
    try:
        return msgspec.json.decode(answer, type=Problem).error()
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Not the broker's own words: something in between answered.
        kind = Unavailable if status in (502, 503, 504) else QuintetError
        return kind(f"HTTP status {status}: {answer[:200].decode(errors='replace')}", status)
