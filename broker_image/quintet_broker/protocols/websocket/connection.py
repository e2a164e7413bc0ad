"""Connection: one client's, from its Hello until either end goes."""

import asyncio
import logging
from collections.abc import Callable
from itertools import groupby
from typing import Any

from aiohttp import WSCloseCode, web

from quintet_broker.errors import BrokerError, InvalidArgument, Overloaded, Unavailable
from quintet_broker.protocols import connections
from quintet_broker.protocols.admission import ADMISSION
from quintet_broker.protocols.keys import ACCESS, SETTINGS, TOPOLOGY
from quintet_broker.protocols.problems import InternalError
from quintet_broker.protocols.websocket import codec, mapping
from quintet_broker.protocols.websocket.receiving import Receiving
from quintet_broker.protocols.websocket.serving import SERVED, Serving
from quintet_broker.protocols.websocket.socket import Socket
from quintet_broker.services.permissions import Verb
from quintet_broker.services.queue import Queue

logger = logging.getLogger(__name__)

HELLO_WITHIN = 10.0
"""Seconds."""
RECEIVES_MAX = 1000
LEAVES_WITHIN = 5.0
"""Seconds in which requests under way may end, where the broker stops."""


class Connection:
    """Serves the frames of one client, several at a time."""

    def __init__(self, app: web.Application, wire: connections.Connection, key_id: str | None) -> None:
        self._topology = app[TOPOLOGY]
        self._access = app[ACCESS]
        self._broker = app[SETTINGS].pod_name
        self._key_id = key_id
        self._loop = asyncio.get_running_loop()
        self._gone = self._loop.create_future()
        self._socket = Socket(wire, codec.FRAME_BYTES, self._take, self._lost)
        self._serving = Serving(self._queue, self._socket, app[ADMISSION])
        self._receives: dict[int, tuple[asyncio.Task[None], Receiving]] = {}
        self._moved: dict[str, str] = {}
        """Where queues are, as the client was told last."""
        self._welcomed = False
        self._leaving = False

    async def serve(self) -> None:
        """Until either end goes."""
        late = self._loop.call_later(HELLO_WITHIN, self._no_hello)
        self._socket.open()
        try:
            await self._gone
        finally:
            late.cancel()
            for task in self._tasks():
                task.cancel()

    async def leave(self) -> None:
        """The broker stops: what is under way ends, nothing more is taken."""
        self._leaving = True
        for task, _ in self._receives.values():
            self._end(task)
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=LEAVES_WITHIN)
        self._socket.close(WSCloseCode.GOING_AWAY, "The broker stops.")
        await asyncio.wait([self._gone])

    def _lost(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._serving.tasks, *(task for task, _ in self._receives.values())]

    # Frames

    def _take(self, bodies: list[bytes]) -> None:
        """Begin to serve the frames that came together, those of one kind that follow each other at once."""
        if self._leaving:
            return
        at = 0
        try:
            for kind, some in groupby(codec.decode_all(bodies), type):
                frames = list(some)
                self._take_some(kind, frames, bodies[at : at + len(frames)])
                at += len(frames)
        except codec.Malformed as error:
            self._socket.close(WSCloseCode.PROTOCOL_ERROR, str(error))

    def _take_some(self, kind: type, frames: list[Any], bodies: list[bytes]) -> None:
        """Frames of one kind, and what each was read from. Raises Malformed."""
        if self._welcomed and kind in SERVED:
            self._serving.take(frames, bodies)
            return
        for frame in frames:
            if self._welcomed:
                _TAKERS[kind](self, frame)
            else:
                self._welcome(frame)

    def _welcome(self, hello: Any) -> None:
        """Raises Malformed."""
        if isinstance(hello, Exception):
            raise codec.Malformed(str(hello))
        if not isinstance(hello, codec.Hello):
            raise codec.Malformed("The first frame is a Hello.")
        if codec.VERSION not in hello.versions:
            raise codec.Malformed(f"This broker speaks version {codec.VERSION} alone.")
        self._welcomed = True
        self._say(codec.Welcome(codec.VERSION, self._broker))

    def _no_hello(self) -> None:
        if not self._welcomed:
            self._socket.close(WSCloseCode.PROTOCOL_ERROR, "No Hello came in time.")

    def _say(self, *frames: Any) -> None:
        """What nobody waits for."""
        self._socket.answer(codec.encode_all(frames))

    def _refuse(self, number: int, error: BrokerError) -> None:
        self._say(mapping.refused(number, error))

    async def _queue(self, name: str, verb: Verb) -> Queue:
        """Raises AccessDenied, QueueNotFound, Unavailable."""
        self._access.check(self._key_id, verb, name)
        queue = await self._topology.queue(name)
        owner = queue.spread.owner
        address = owner.http if owner and owner.name != self._broker else ""
        if address != self._moved.get(name, ""):
            self._moved[name] = address
            if address:
                self._say(codec.Moved(name, address))
        return queue

    def _hello(self, _: codec.Hello) -> None:
        raise codec.Malformed("A Hello comes once.")

    def _refused(self, why: codec.Refusable) -> None:
        self._refuse(why.id, InvalidArgument(str(why)))

    def _malformed(self, why: codec.Malformed) -> None:
        raise why

    # Receives

    def _open(self, frame: codec.Receive) -> None:
        """Raises Malformed."""
        if frame.id in self._receives:
            raise codec.Malformed(f"There is a receive {frame.id} already.")
        if len(self._receives) >= RECEIVES_MAX:
            self._refuse(frame.id, Overloaded(f"One connection has {RECEIVES_MAX} receives at most."))
            return
        receiving = Receiving(frame, lambda: self._queue(frame.queue, "receive"), self._socket)
        self._receives[frame.id] = self._loop.create_task(self._receive(frame.id, receiving)), receiving

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
            self._say(last)

    def _cancelled(self, number: int) -> codec.Deliver | codec.Refused:
        if self._leaving:
            return mapping.refused(number, Unavailable("The broker stops."))
        return codec.Deliver(number, [], open=False)

    def _end(self, receive: asyncio.Task[None]) -> None:
        # What is cancelled before it has begun never runs, and could not tell its end.
        self._loop.call_soon(receive.cancel)

    def _grant(self, frame: codec.Credit) -> None:
        if found := self._receives.get(frame.id):
            found[1].grant(frame.credit)

    def _cancel(self, frame: codec.Cancel) -> None:
        if found := self._receives.get(frame.id):
            self._end(found[0])


_TAKERS: dict[type, Callable[[Connection, Any], None]] = {
    codec.Hello: Connection._hello,
    codec.Receive: Connection._open,
    codec.Credit: Connection._grant,
    codec.Cancel: Connection._cancel,
    codec.Refusable: Connection._refused,
    codec.Malformed: Connection._malformed,
}
"""What is done with a frame that is no request, in the order in which frames come."""
