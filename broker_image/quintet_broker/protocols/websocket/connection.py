"""Connection: one client's, from its Hello until either end goes."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from quintet_broker.errors import BrokerError, InvalidArgument, Overloaded, Unavailable
from quintet_broker.protocols import connections
from quintet_broker.protocols.admission import ADMISSION
from quintet_broker.protocols.keys import ACCESS, SETTINGS, TOPOLOGY
from quintet_broker.protocols.problems import InternalError
from quintet_broker.protocols.websocket import codec, mapping
from quintet_broker.protocols.websocket.outbox import Outbox
from quintet_broker.protocols.websocket.receiving import Receiving, Room
from quintet_broker.protocols.websocket.serving import Serving
from quintet_broker.services.permissions import Verb
from quintet_broker.services.queue import Queue

logger = logging.getLogger(__name__)

HELLO_WITHIN = 10.0
"""Seconds."""
RECEIVES_MAX = 1000
LEAVES_WITHIN = 5.0
"""Seconds in which requests under way may end, where the broker stops."""
REASON_BYTES = 123
"""Of a reason that a close frame tells, at most."""
CLOSES_WITHIN = 2.0
"""Seconds in which a client may read what it was told last, and say goodbye."""


class Connection:
    """Serves the frames of one client, several at a time."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, key_id: str | None) -> None:
        app = request.app
        self._topology = app[TOPOLOGY]
        self._access = app[ACCESS]
        self._broker = app[SETTINGS].pod_name
        self._handshake = request
        self._socket = socket
        self._wire = connections.of(request)
        self._outbox = Outbox(socket.send_bytes, self._write_together, self._unread)
        if self._wire:
            self._wire.kept = self._outbox.kept
        self._key_id = key_id
        self._serving = Serving(self._queue, self._send_all, app[ADMISSION])
        self._receives: dict[int, tuple[asyncio.Task[None], Receiving]] = {}
        self._room = Room()
        self._moved: dict[str, str] = {}
        """Where queues are, as the client was told last."""
        self._leaving = False

    async def serve(self) -> None:
        """Until either end goes."""
        try:
            await self._welcome()
            while (body := await self._body()) is not None:
                await self._take(body)
        except codec.Malformed as error:
            await self._close(WSCloseCode.PROTOCOL_ERROR, str(error))
        except ConnectionError:
            logger.debug("a client went while it was told something")
        finally:
            for task in self._tasks():
                task.cancel()
            self._outbox.close()

    async def leave(self) -> None:
        """The broker stops: what is under way ends, nothing more is taken."""
        self._leaving = True
        for task, _ in self._receives.values():
            task.cancel()
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=LEAVES_WITHIN)
        await self._close(WSCloseCode.GOING_AWAY, "The broker stops.")

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._serving.tasks, *(task for task, _ in self._receives.values())]

    async def _close(self, code: WSCloseCode, why: str) -> None:
        """After all that was said before, if the client reads it."""
        closing = asyncio.create_task(self._say_goodbye(code, why))
        await asyncio.wait([closing], timeout=CLOSES_WITHIN)
        if not closing.done():
            closing.cancel()
            if self._handshake.transport:
                self._handshake.transport.abort()

    def _unread(self) -> int:
        """Bytes that were written and wait for the client to read."""
        transport = self._handshake.transport
        return transport.get_write_buffer_size() if transport else 0

    def _write_together(self, bodies: Sequence[bytes]) -> None:
        """As many calls of aiohttp's `send_bytes`, at once. Raises ConnectionError."""
        transport = self._handshake.transport
        if transport is None or transport.is_closing() or self._socket.closed:
            raise ConnectionResetError("The client has gone.")
        transport.write(b"".join([part for body in bodies for part in (codec.header(len(body)), body)]))

    async def _say_goodbye(self, code: WSCloseCode, why: str) -> None:
        await self._outbox.written()
        await self._socket.close(code=code, message=why.encode()[:REASON_BYTES], drain=False)

    # Frames

    async def _body(self) -> bytes | None:
        """The next frame; None where the client has gone. Raises Malformed."""
        message = await self._socket.receive()
        if self._wire:
            self._wire.whole()
        if message.type == WSMsgType.BINARY:
            return bytes(message.data)
        if message.type == WSMsgType.TEXT:
            raise codec.Malformed("Frames are binary.")
        return None

    async def _welcome(self) -> None:
        """Raises Malformed."""
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                body = await self._body()
        except TimeoutError as error:
            raise codec.Malformed("No Hello came in time.") from error
        if body is None:
            return
        try:
            hello = codec.decode(body)
        except codec.Refusable as error:
            raise codec.Malformed(str(error)) from error
        if not isinstance(hello, codec.Hello):
            raise codec.Malformed("The first frame is a Hello.")
        if codec.VERSION not in hello.versions:
            raise codec.Malformed(f"This broker speaks version {codec.VERSION} alone.")
        await self._send(codec.Welcome(codec.VERSION, self._broker))

    async def _take(self, body: bytes) -> None:
        """Begin to serve a frame. Raises Malformed."""
        if self._leaving:
            return
        try:
            frame = codec.decode(body)
        except codec.Refusable as error:
            await self._send(mapping.refused(error.id, InvalidArgument(str(error))))
            return
        await _TAKERS[type(frame)](self, frame, len(body))

    async def _send(self, frame: Any) -> None:
        await self._send_all([frame])

    async def _send_all(self, frames: Sequence[Any]) -> None:
        await self._outbox.put([codec.encode(frame) for frame in frames])

    async def _queue(self, name: str, verb: Verb) -> Queue:
        """Raises AccessDenied, QueueNotFound, Unavailable."""
        self._access.check(self._key_id, verb, name)
        queue = await self._topology.queue(name)
        owner = queue.spread.owner
        address = owner.http if owner and owner.name != self._broker else ""
        if address != self._moved.get(name, ""):
            self._moved[name] = address
            if address:
                await self._send(codec.Moved(name, address))
        return queue

    async def _hello(self, _: codec.Hello, __: int) -> None:
        raise codec.Malformed("A Hello comes once.")

    async def _request(self, frame: codec.Request, size: int) -> None:
        await self._serving.take(frame, size)

    # Receives

    async def _open(self, frame: codec.Receive, _: int) -> None:
        """Raises Malformed."""
        if frame.id in self._receives:
            raise codec.Malformed(f"There is a receive {frame.id} already.")
        if len(self._receives) >= RECEIVES_MAX:
            error = Overloaded(f"One connection has {RECEIVES_MAX} receives at most.")
            await self._send(mapping.refused(frame.id, error))
            return
        receiving = Receiving(frame, lambda: self._queue(frame.queue, "receive"), self._send, self._room)
        task = asyncio.create_task(self._receive(frame.id, receiving))
        self._receives[frame.id] = task, receiving
        # What is cancelled before it has begun never runs, and could not tell its end.
        await asyncio.sleep(0)

    async def _receive(self, number: int, receiving: Receiving) -> None:
        last: Any = None
        try:
            await receiving.run()
        except asyncio.CancelledError:
            last = self._cancelled(number)
        except BrokerError as error:
            last = mapping.refused(number, error)
        except ConnectionError:
            logger.debug("a client went while it was delivered to")
        except Exception:
            logger.exception("a receive failed")
            last = mapping.refused(number, InternalError())
        # The client may use the number again as soon as it hears of the end.
        del self._receives[number]
        if last:
            with contextlib.suppress(ConnectionError):
                await self._send(last)

    def _cancelled(self, number: int) -> codec.Deliver | codec.Refused:
        if self._leaving:
            return mapping.refused(number, Unavailable("The broker stops."))
        return codec.Deliver(number, [], open=False)

    async def _grant(self, frame: codec.Credit, _: int) -> None:
        if found := self._receives.get(frame.id):
            found[1].grant(frame.credit)

    async def _cancel(self, frame: codec.Cancel, _: int) -> None:
        if found := self._receives.get(frame.id):
            found[0].cancel()


_TAKERS: dict[type, Callable[[Connection, Any, int], Awaitable[None]]] = {
    codec.Hello: Connection._hello,
    codec.Send: Connection._request,
    codec.SendBatch: Connection._request,
    codec.Acknowledge: Connection._request,
    codec.Release: Connection._request,
    codec.Extend: Connection._request,
    codec.Receive: Connection._open,
    codec.Credit: Connection._grant,
    codec.Cancel: Connection._cancel,
}
"""What is done with a frame and its size, in the order in which frames come."""
