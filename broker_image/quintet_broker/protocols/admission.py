"""Admission: how much of clients' bodies a broker holds at once, over all faces of its HTTP port.

A body is held until its request is answered, so a store that does not answer cannot fill the memory. What has come
counts, not what was announced: who announces much and sends nothing keeps nobody out.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from quintet_broker.errors import BodyTimeout, InvalidArgument, Overloaded

HELD_BYTES = 64 * 1024 * 1024
"""Each byte is kept about three times: in the body, in what is decoded of it, in a record."""
BODY_WITHIN = 60.0
"""Seconds that a body may take to come."""


class Admission:
    """Belongs to one application."""

    def __init__(self, most: int = HELD_BYTES, within: float = BODY_WITHIN) -> None:
        self._room = most
        self._within = within

    @asynccontextmanager
    async def body(self, request: web.Request) -> AsyncIterator[bytes]:
        """A request's body, which has its room while the request is served.

        Raises Overloaded, BodyTimeout, InvalidArgument where it cannot be read, HTTPRequestEntityTooLarge.
        """
        # Most have come whole with their head.
        within = None if request.content.is_eof() else self._within
        try:
            async with asyncio.timeout(within):
                body = await self._read(request)
        except TimeoutError as error:
            raise BodyTimeout from error
        except web.RequestPayloadError as error:
            raise InvalidArgument("The request's body is not as its Transfer- or Content-Encoding says.") from error
        try:
            yield body
        finally:
            self._room += len(body)

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Room for what has come already, while it is served. Raises Overloaded."""
        self._take(size)
        try:
            yield
        finally:
            self._room += size

    async def _read(self, request: web.Request) -> bytes:
        most = request.client_max_size
        if (request.content_length or 0) > most:
            raise web.HTTPRequestEntityTooLarge(most)
        body = bytearray()
        try:
            while chunk := await request.content.readany():
                self._take(len(chunk))
                body += chunk
                if len(body) > most:
                    raise web.HTTPRequestEntityTooLarge(most)
            return bytes(body)
        except BaseException:
            self._room += len(body)
            raise

    def _take(self, size: int) -> None:
        if size > self._room:
            raise Overloaded
        self._room -= size


ADMISSION = web.AppKey("admission", Admission)
BODY = web.RequestKey("body", bytes)
"""The body of a request that is served."""
