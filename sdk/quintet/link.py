"""Link: an open connection to one broker."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp import WSMsgType

from quintet import frames
from quintet.errors import ConnectionLost, MessageTooLarge, QuintetError, Unavailable, UnknownKey
from quintet.outbox import Outbox
from quintet.reach import reason

PATH = "/v1/connect"
CONNECT = 5.0
"""Seconds."""
HEARTBEAT = 3.0
"""Seconds of silence after which the broker is pinged; it has half of it to answer. So an owner that stands still is
left soon after its lease has ended, and others have its queues."""
CLOSE = 1.0
"""Seconds that a broker has to read what was said, and to say goodbye."""
FRAME_BYTES = 64 * 1024 * 1024
"""Longer ones are no frames of a broker."""


class Reader(Protocol):
    """Who hears of one receive."""

    def deliver(self, frame: frames.Deliver) -> None: ...

    def end(self, error: QuintetError) -> None:
        """It was refused, or the link broke."""

    def poke(self) -> None:
        """There may be a better link."""


class Link:
    """From `open` until `close` or an error. Belongs to its event loop."""

    def __init__(
        self,
        address: str,
        socket: aiohttp.ClientWebSocketResponse,
        welcome: frames.Welcome,
        moved: Callable[[str, str], None],
        gone: "Callable[[Link], None]",
    ) -> None:
        self.address = address
        self.where = urlsplit(address).netloc
        """Its host and port, for people."""
        self.lost: QuintetError | None = None
        """Why it is no longer open."""
        self.readers: dict[int, Reader] = {}
        self._socket = socket
        self._frame_bytes = welcome.frame_bytes
        self._moved = moved
        self._gone = gone
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._hearing = asyncio.create_task(self._hear())
        self._outbox = Outbox(socket.send_bytes, self.drop)

    @classmethod
    async def open(
        cls,
        session: aiohttp.ClientSession,
        address: str,
        moved: Callable[[str, str], None],
        gone: "Callable[[Link], None]",
    ) -> "Link":
        """To the broker at that URL. `moved` is told where queues are, `gone` when it is open no more.

        Raises QuintetError.
        """
        where = urlsplit(address).netloc
        try:
            async with asyncio.timeout(CONNECT), AsyncExitStack() as stack:
                socket = await stack.enter_async_context(
                    session.ws_connect(
                        address + PATH,
                        heartbeat=HEARTBEAT,
                        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE),
                        max_msg_size=FRAME_BYTES,
                        compress=0,
                    )
                )
                await socket.send_bytes(frames.encode(frames.Hello([frames.VERSION])))
                answer = await socket.receive()
                if answer.type != WSMsgType.BINARY:
                    raise ConnectionLost(f"{where} does not welcome this client: {answer.extra or 'it hung up.'}")
                link = cls(address, socket, _welcome(where, answer.data), moved, gone)
                stack.pop_all()
                return link
        except TimeoutError as error:
            raise ConnectionLost(f"{where} cannot be reached: no answer within {CONNECT:.3g} s.") from error
        except aiohttp.WSServerHandshakeError as error:
            raise _refusal(where, error) from error
        except aiohttp.ClientConnectorError as error:
            raise ConnectionLost(f"{where} cannot be reached: {reason(error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLost(f"{where} cannot be reached: {error or type(error).__name__}") from error

    async def ask(self, request: frames.Request) -> Any:
        """The answer. Raises QuintetError: the refusal, ConnectionLost, MessageTooLarge."""
        self._last += 1
        request.id = self._last
        unsaid = self._say(request)
        future = self._requests[request.id] = asyncio.get_running_loop().create_future()
        try:
            return await future
        finally:
            del self._requests[request.id]
            self._outbox.take_back(unsaid)

    def receive(self, receive: frames.Receive, reader: Reader) -> None:
        """Open a receive, and number it. Raises ConnectionLost, MessageTooLarge."""
        self._last += 1
        receive.id = self._last
        self._say(receive)
        self.readers[receive.id] = reader

    def say(self, frame: frames.Credit | frames.Cancel) -> None:
        """What has no answer, behind all that was said before. Whoever waits for something hears of a lost link."""
        if not self.lost:
            self._say(frame)

    async def close(self) -> None:
        await _close(self._socket)
        await asyncio.wait([self._hearing])

    def drop(self) -> None:
        """End it without a goodbye: the broker does not answer."""
        self._hearing.cancel()

    def _say(self, frame: Any) -> int:
        """Its place in the outbox. Raises ConnectionLost, MessageTooLarge."""
        if self.lost:
            raise self.lost
        body = frames.encode(frame)
        if len(body) > self._frame_bytes:
            raise MessageTooLarge(f"A frame of {len(body)} bytes; the broker takes at most {self._frame_bytes}.")
        return self._outbox.put(body)

    # What the broker says

    async def _hear(self) -> None:
        why = "broke"
        try:
            while True:
                message = await self._socket.receive()
                if message.type != WSMsgType.BINARY:
                    why = f"was closed: {message.extra}" if message.extra else "broke"
                    return
                self._take(frames.decode(message.data))
        except ValueError as error:
            why = f"ended: {error}"
        finally:
            self._end(ConnectionLost(f"The connection to {self.where} {why}."))
            await _close(self._socket)

    def _take(self, frame: Any) -> None:
        if isinstance(frame, frames.Deliver):
            reader = self.readers.get(frame.id) if frame.open else self.readers.pop(frame.id, None)
            if reader:
                reader.deliver(frame)
        elif isinstance(frame, frames.Moved):
            self._moved(frame.queue, frame.address)
        elif isinstance(frame, frames.Refused):
            error = frames.Problem(frame.error, frame.status, frame.detail).error()
            if reader := self.readers.pop(frame.id, None):
                reader.end(error)
            elif (future := self._requests.get(frame.id)) and not future.done():
                future.set_exception(error)
        elif (future := self._requests.get(frame.id)) and not future.done():
            future.set_result(frame)

    def _end(self, lost: ConnectionLost) -> None:
        self.lost = lost
        self._outbox.close()
        self._gone(self)
        for future in self._requests.values():
            if not future.done():
                future.set_exception(lost)
        readers, self.readers = self.readers, {}
        for reader in readers.values():
            reader.end(lost)


def _welcome(where: str, body: bytes) -> frames.Welcome:
    """Raises QuintetError."""
    try:
        found = frames.decode(body)
    except ValueError as error:
        raise QuintetError(f"{where} is no broker: {error}") from error
    if not isinstance(found, frames.Welcome):
        raise QuintetError(f"{where} is no broker: it says {type(found).__name__} where Welcome is due.")
    return found


async def _close(socket: aiohttp.ClientWebSocketResponse) -> None:
    closing = asyncio.ensure_future(socket.close())
    await asyncio.wait([closing], timeout=CLOSE)
    # Where it cannot even be told, it hangs up.
    closing.cancel()


def _refusal(where: str, error: aiohttp.WSServerHandshakeError) -> QuintetError:
    if error.status == 401:
        return UnknownKey(status=401)
    kind = Unavailable if error.status in (502, 503, 504) else QuintetError
    return kind(f"{where} answered with HTTP status {error.status}: it takes no WebSocket here.", error.status)
