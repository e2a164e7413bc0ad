"""Connections: those that are open on a port, how many they may be, and what they may make a broker keep together.

A connection makes a broker keep what has come of a request or a frame that is not whole yet, and what was written for
a client that does not read it. Where all of them make it keep too much, the one that makes it keep most is closed: so
who means no good, or does not read, keeps nobody else out.
"""

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol, cast

from aiohttp import web

from quintet_broker.errors import BodyTimeout, BrokerError, InvalidArgument, Overloaded
from quintet_broker.protocols import problems

UNFINISHED_BYTES = 64 * 1024 * 1024
UNREAD_BYTES = 64 * 1024 * 1024
WITHIN = 90.0
"""Seconds in which a request or a frame comes whole, and in which a client reads something of what it is to read.

Longer than a request's body may take alone, whose client is told by its answer.
"""
LOOKED_AT_EVERY = 1.0
"""Seconds."""
IDLE = 120.0
"""Seconds after which a connection without a request is closed; clients of AWS and Go leave it sooner."""
BACKLOG = 4096
"""Connections that wait to be accepted."""
CITED = 500
"""Characters of what is told of a head that cannot be read."""
NOT_AS_ENCODED = "The request's body is not as its Transfer- or Content-Encoding says."
CLOSES_WITHIN = 2.0
"""Seconds in which a client may read why it is refused."""


class Connections:
    """Those of one port."""

    def __init__(self, most: int, *, oldest_goes: bool = False) -> None:
        """At most so many: beyond that a new one is refused, or the oldest one goes."""
        self.most = most
        self._oldest_goes = oldest_goes
        self._open: dict[Connection, None] = {}
        self._slow: set[Connection] = set()
        """Those that have more to read than they should."""
        self._unfinished = 0
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def entered(self, connection: "Connection") -> bool:
        """Whether there is room for it."""
        if len(self._open) >= self.most:
            if not self._oldest_goes:
                return False
            next(iter(self._open)).drop()
        self._open[connection] = None
        if self._look is None:
            self._look = self._loop.call_later(LOOKED_AT_EVERY, self._look_at_all)
        return True

    def left(self, connection: "Connection") -> None:
        self.whole(connection)
        self.reads(connection)
        self._open.pop(connection, None)

    def came(self, connection: "Connection", size: int) -> None:
        """So many bytes, of something that may not be whole."""
        if not connection.unfinished:
            connection.unfinished_since = self._loop.time()
        connection.unfinished += size
        self._unfinished += size
        if self._unfinished > UNFINISHED_BYTES:
            largest = max(self._open, key=lambda one: one.unfinished)
            largest.refuse(Overloaded("Too much has come that is not whole: try again shortly."))

    def whole(self, connection: "Connection") -> None:
        """What has come was taken."""
        self._unfinished -= connection.unfinished
        connection.unfinished = 0

    def does_not_read(self, connection: "Connection") -> None:
        connection.unread, connection.unread_since = connection.to_write(), self._loop.time()
        self._slow.add(connection)
        # Whoever writes is not done.
        self._loop.call_soon(self._bound_unread)

    def reads(self, connection: "Connection") -> None:
        self._slow.discard(connection)

    def _bound_unread(self) -> None:
        sizes = {connection: connection.to_write() for connection in self._slow}
        if sum(sizes.values()) > UNREAD_BYTES:
            max(sizes, key=lambda one: sizes[one]).drop()

    def _look_at_all(self) -> None:
        late = self._loop.time() - WITHIN
        for connection in [one for one in self._open if one.unfinished and one.unfinished_since < late]:
            connection.refuse(BodyTimeout("What was begun did not come whole in time."))
        for connection in list(self._slow):
            if (size := connection.to_write()) < connection.unread:
                connection.unread, connection.unread_since = size, self._loop.time()
            elif connection.unread_since < late:
                connection.drop()
        self._bound_unread()
        self._look = self._loop.call_later(LOOKED_AT_EVERY, self._look_at_all) if self._open else None


class Upgraded(Protocol):
    """What a connection of HTTP became: it gets what comes, and tells the client at the end why."""

    def feed_data(self, data: bytes) -> object: ...
    def feed_eof(self) -> None: ...
    def drained(self) -> None: ...
    def farewell(self, error: BrokerError) -> bytes: ...


class Connection(web.RequestHandler):
    """One of a client: aiohttp's, which tells how much comes and how much goes."""

    __slots__ = (
        "_all",
        "_refuse_body",
        "_refused",
        "_upgraded_to",
        "_wire",
        "unfinished",
        "unfinished_since",
        "unread",
        "unread_since",
    )

    def __init__(self, connections: Connections, server: web.Server) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, access_log=None, keepalive_timeout=IDLE)  # type: ignore[arg-type]
        self._all = connections
        self._refused = False
        self._upgraded_to: Upgraded | None = None
        self._refuse_body: Callable[[BrokerError], None] | None = None
        """Who reads the body of a request, and answers."""
        self.unfinished = 0
        """Bytes that came since something was whole."""
        self.unfinished_since = 0.0
        self.unread = 0
        """Bytes, when it was looked at last."""
        self.unread_since = 0.0
        """When there were less to read than before."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        if self._all.entered(self):
            super().connection_made(transport)
        else:
            self.refuse(Overloaded(f"This broker has {self._all.most} connections, as many as it may have."))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._all.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            self.came(len(data))
        if self._refused:
            return
        if self._upgraded_to:
            self._upgraded_to.feed_data(data)
        else:
            super().data_received(data)
            self._check_body()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """End it once what is served is answered, or so many seconds have passed."""
        # One that came after all others were closed would be waited for though it asks nothing.
        self.close()
        await super().shutdown(timeout)

    def upgrade(self, to: Upgraded) -> None:
        """From now on it is that, and no request follows."""
        self._upgraded_to = to
        self.set_parser(to)  # type: ignore[arg-type]

    def reads_body(self, refuse: Callable[[BrokerError], None] | None) -> None:
        """Somebody reads the body of a request, and answers where it is refused; None: no more."""
        self._refuse_body = refuse
        self._check_body()

    def _check_body(self) -> None:
        if self._refuse_body and self._messages:
            # Nothing follows a body that is not whole but what is no part of one.
            self._refuse_body(InvalidArgument(NOT_AS_ENCODED))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._all.does_not_read(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._all.reads(self)
        if self._upgraded_to:
            self._upgraded_to.drained()

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        # Requests that are refused for their head are not read any further.
        self.whole()
        return super().finish_response(request, resp, start_time)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        # It cites what came.
        return super().handle_error(request, status, exc, message and message[:CITED])

    def came(self, size: int) -> None:
        """So many bytes, of what may not be whole."""
        self._all.came(self, size)

    def whole(self) -> None:
        """A request or a frame was taken."""
        self._all.whole(self)

    def to_write(self) -> int:
        """Bytes that the client's end has no room for."""
        return self._wire.get_write_buffer_size()

    def refuse(self, error: BrokerError) -> None:
        """Tell the client why, as far as it reads, and close it, unless whoever reads a body answers."""
        self._all.whole(self)
        if self._refuse_body:
            self._refuse_body(error)
            return
        if self.to_write():
            self.drop()
            return
        self._refused = True
        self._wire.write((self._upgraded_to.farewell if self._upgraded_to else _farewell)(error))
        self._wire.close()
        self._loop.call_later(CLOSES_WITHIN, self._wire.abort)

    def drop(self) -> None:
        """Close it at once."""
        self._refused = True
        self._all.left(self)
        self._wire.abort()


class Site(web.BaseSite):
    """Where a runner's application is reached, over connections that `make` makes."""

    def __init__(
        self, runner: web.AppRunner, make: Callable[[web.Server], asyncio.BaseProtocol], host: str, port: int
    ) -> None:
        super().__init__(runner)
        self._make = make
        self._host = host
        self._port = port

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Raises OSError."""
        await super().start()
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._make(server), self._host, self._port, backlog=BACKLOG
        )


def of(request: web.BaseRequest) -> Connection | None:
    """The connection that a request came over; None on a port without ours."""
    return request.protocol if isinstance(request.protocol, Connection) else None


def _farewell(error: BrokerError) -> bytes:
    status = HTTPStatus(problems.status(error))
    body = f"{error.message}\n".encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Retry-After: 1",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body
