"""Transport: what a client asks by single requests: JSON over HTTP, as /v1/ has it."""

from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
import msgspec

from quintet.errors import ClientClosed, ConnectionLost, QuintetError, TimedOut, Unavailable
from quintet.reach import reason
from quintet.retry import ATTEMPT, retried
from quintet.wire import Problem

CONNECT = 5.0
"""Seconds."""


class Transport:
    """To one broker. Not thread-safe: it belongs to the event loop of its session."""

    def __init__(self, session: aiohttp.ClientSession, url: str, timeout: float) -> None:
        self._session = session
        self._timeout = timeout
        self._base = url
        self._where = urlsplit(url).netloc

    async def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The answer's body, asked for again until the timeout.

        Raises QuintetError: the refusal, or the last failure.
        """
        return await retried(lambda left: self._attempt(method, path, body, min(ATTEMPT, left)), self._timeout)

    async def _attempt(self, method: str, path: str, body: bytes | None, within: float) -> bytes:
        """The answer's body, within so many seconds. Raises QuintetError."""
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
            raise ConnectionLost(f"{self._where} cannot be reached: {reason(error)}") from error
        except aiohttp.ClientError as error:
            raise ConnectionLost(f"The connection to {self._where} broke: {error or type(error).__name__}") from error
        if response.status >= 300:
            raise _refusal(response.status, answer)
        return answer


def _refusal(status: int, answer: bytes) -> QuintetError:
    try:
        return msgspec.json.decode(answer, type=Problem).error()
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Not the broker's own words: something in between answered.
        kind = Unavailable if status in (502, 503, 504) else QuintetError
        return kind(f"HTTP status {status}: {answer[:200].decode(errors='replace')}", status)
