"""The lane: a short way for requests that come whole, beside aiohttp's, which takes everything else of HTTP.

Most clients of SQS send small requests, over connections that they keep; for these, what aiohttp does to serve all of
HTTP costs more than all the rest. So a connection begins on the lane: what is one whole and plain request is answered
here, and the connection stays. With the first piece that is anything else the connection becomes aiohttp's for good,
which gets the piece as it came: nothing was done of it yet.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web

from quintet_broker.protocols.connections import Connection, Connections
from quintet_broker.protocols.reader import Reader
from quintet_broker.protocols.whole import Answer, Request

logger = logging.getLogger(__name__)

LONGEST = 256 * 1024
"""Bytes of a request that comes in pieces."""
COMES_WITHIN = 5.0
"""Seconds, for the rest of a request: then it is aiohttp's."""
FAILED = Answer(b"", {}, 500)


class Lane:
    """What the connections of a port share."""

    def __init__(self, serve: Callable[[Request], Awaitable[Answer]]) -> None:
        self.serve = serve
        self.read = Reader().read
        self._second = 0
        self._date = ""

    def written(self, answer: Answer, *, last: bool) -> bytes:
        """As it goes over the wire; after the `last` one the connection is closed."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True)
        status = "200 OK" if answer.status == 200 else f"{answer.status} {HTTPStatus(answer.status).phrase}"
        headers = "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()])
        length = len(answer.body)
        close = "Connection: close\r\n" if last else ""
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nDate: {self._date}\r\n{close}\r\n"
        return head.encode() + answer.body


LANE = web.AppKey("lane", Lane)


class LaneConnection(Connection):
    """One of a client: on the lane as long as it may."""

    __slots__ = (
        "_closes",
        "_is_aiohttps",
        "_lane",
        "_late",
        "_looks",
        "_missing",
        "_next",
        "_pieces",
        "_quiet_since",
        "_serving",
    )

    def __init__(self, connections: Connections, lane: Lane, server: web.Server) -> None:
        super().__init__(connections, server)
        self._lane = lane
        self._is_aiohttps = False
        self._pieces: list[bytes] = []
        """Of a request of which some is still to come."""
        self._missing = 0
        """Bytes that are."""
        self._late: asyncio.TimerHandle | None = None
        self._serving: asyncio.Task[None] | None = None
        self._next: list[bytes] = []
        """What came before it could be served."""
        self._quiet_since = self._loop.time()
        self._looks: asyncio.TimerHandle | None = None
        self._closes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # aiohttp sees nothing of the lane, and would take the connection for idle.
        self.keep_alive(True)
        self._look()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._closes = True
        if self._serving:
            self._serving.cancel()
        if self._looks:
            self._looks.cancel()
        self._forget_pieces()
        self._next.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_aiohttps or self._refused:
            super().data_received(data)
        elif self._closes:
            return
        elif self._serving or self.writing_paused:
            self._next.append(data)
            self._wire.pause_reading()
            self.came(len(data))
        elif self._pieces:
            self._go_on_in_pieces(data)
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        found = self._lane.read(data)
        if isinstance(found, Request):
            self._serving = self._loop.create_task(self._serve(found))
        elif found is not None and len(data) + found <= LONGEST:
            self._begin_in_pieces(data, found)
        else:
            self._leave(data)

    def _leave(self, data: bytes) -> None:
        """Be aiohttp's from now on."""
        self._is_aiohttps = True
        super().data_received(data)

    async def _serve(self, request: Request) -> None:
        try:
            answer = await self._lane.serve(request)
        except Exception:
            logger.exception("%s %s failed", request.method, request.target)
            answer = FAILED
        self._serving = None
        if self._wire.is_closing():
            return
        self._wire.write(self._lane.written(answer, last=self._closes))
        self._quiet_since = self._loop.time()
        if self._closes:
            self.force_close()
        elif self._next:
            self._take_next()

    def _take_next(self) -> None:
        if self._next and not self._serving and not self.writing_paused:
            data = b"".join(self._next)
            self._next.clear()
            self.whole()
            self._wire.resume_reading()
            self.data_received(data)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._take_next()

    # A request in pieces

    def _begin_in_pieces(self, data: bytes, missing: int) -> None:
        self._pieces, self._missing = [data], missing
        self._late = self._loop.call_later(COMES_WITHIN, self._leave_in_pieces)
        self.came(len(data))

    def _go_on_in_pieces(self, data: bytes) -> None:
        self._pieces.append(data)
        self._missing -= len(data)
        self.came(len(data))
        if self._missing <= 0 and not self._refused:
            self._take(self._forget_pieces())

    def _leave_in_pieces(self) -> None:
        self._leave(self._forget_pieces())

    def _forget_pieces(self) -> bytes:
        """What has come of it."""
        data = b"".join(self._pieces)
        if self._late:
            self._late.cancel()
            self._late = None
            self.whole()
        self._pieces = []
        return data

    # The end

    def _look(self) -> None:
        """Close it if it is idle; as aiohttp's it looks by itself."""
        if self._is_aiohttps or self._closes:
            return
        now = self._loop.time()
        if self._serving:
            self._quiet_since = now
        if self._quiet_since + self.keepalive_timeout <= now:
            self._closes = True
            self.force_close()
        else:
            self._looks = self._loop.call_at(self._quiet_since + self.keepalive_timeout, self._look)

    def close(self) -> None:
        """Take nothing more, and close it once what is served is answered."""
        self._closes = True
        super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        self._closes = True
        if self._serving:
            await asyncio.wait([self._serving], timeout=timeout)
        await super().shutdown(timeout)
