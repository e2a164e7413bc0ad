"""Admission: how much of clients' bodies a broker holds at once, over all faces of its HTTP port.

A body is held until its request is answered, so a store that does not answer cannot fill the memory. One that is not
whole yet takes none of this room: who sends slowly keeps nobody out.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from quintet_broker.errors import BodyTimeout, BrokerError, InvalidArgument, Overloaded
from quintet_broker.protocols import connections

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
        try:
            # Most have come whole with their head.
            body = await (self._read(request) if request.content.is_eof() else self._read_on(request))
        except web.RequestPayloadError as error:
            raise InvalidArgument(connections.NOT_AS_ENCODED) from error
        try:
            yield body
        finally:
            self.give_back(len(body))

    async def _read_on(self, request: web.Request) -> bytes:
        """A body that is not whole yet: its connection counts it, and may refuse it."""
        connection = connections.of(request)
        why: list[BrokerError] = [BodyTimeout()]

        def refuse(error: BrokerError) -> None:
            if request.content.is_eof():
                # It came meanwhile, and is not read yet.
                return
            why.append(error)
            limit.reschedule(asyncio.get_running_loop().time())

        try:
            async with asyncio.timeout(self._within) as limit:
                if connection:
                    connection.reads_body(refuse)
                return await self._read(request)
        except TimeoutError as error:
            # An error that is raised here and kept here would keep the body.
            raise why.pop() from error
        finally:
            if connection:
                connection.reads_body(None)

    async def _read(self, request: web.Request) -> bytes:
        most = request.client_max_size
        if (request.content_length or 0) > most:
            raise web.HTTPRequestEntityTooLarge(most)
        connection = connections.of(request)
        packed = "Content-Encoding" in request.headers
        body = bytearray()
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > most:
                raise web.HTTPRequestEntityTooLarge(most)
            if len(body) > self._room:
                # The rest is not waited for, nor kept.
                raise Overloaded
            if packed and connection:
                connection.came(len(chunk))
                # It unpacks without waiting for anything.
                await asyncio.sleep(0)
        self.take(len(body))
        if connection:
            connection.whole()
        return bytes(body)

    def take(self, size: int) -> None:
        """Room for what has come already, until it is given back. Raises Overloaded."""
        if size > self._room:
            raise Overloaded
        self._room -= size

    def give_back(self, size: int) -> None:
        self._room += size


ADMISSION = web.AppKey("admission", Admission)
BODY = web.RequestKey("body", bytes)
"""The body of a request that is served."""
