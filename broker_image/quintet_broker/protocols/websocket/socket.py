"""Socket: the broker's end of a WebSocket (RFC 6455).

aiohttp's parser finds the messages. Those that came in one read are handed on together, in the turn of the event loop
in which they came, and what is said is written in that turn: neither way has a task.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WebSocketError, WebSocketReader

from quintet_broker.errors import BrokerError, Overloaded
from quintet_broker.protocols.connections import Connection

HEARTBEAT = 20.0
"""Seconds of silence after which a client is pinged."""
PONG_WITHIN = 10.0
"""Seconds in which it says something then, unless it is gone."""
CLOSES_WITHIN = 2.0
"""Seconds in which a client may read what it was told last, and say goodbye."""
ROOM = 256 * 1024
"""Bytes that wait to be read by the client. Who has more to tell waits; what is told at once may be more."""
REASON_BYTES = 123
"""Of a reason that a close frame tells, at most."""
LARGE = 64 * 1024
"""Bytes of a message that is not copied."""
_BINARY, _CLOSE, _PING, _PONG = 0x82, 0x88, 0x89, 0x8A
"""First bytes of whole messages."""


class Socket:
    """One client's, over its connection, which hands on what comes as to a parser of aiohttp's."""

    def __init__(
        self, wire: Connection, longest: int, take: Callable[[list[bytes]], None], lost: Callable[[], None]
    ) -> None:
        """`take` gets the binary messages, of `longest` bytes each at most, that came together; `lost` is called once
        the client has gone."""
        assert wire.transport
        self._wire = wire
        self._transport = wire.transport
        self._take = take
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._found = _Found(wire, 0, loop=self._loop)
        # aiohttp refuses what has as many bytes as that.
        self._reader = WebSocketReader(self._found, longest + 1, compress=False, decode_text=False)
        self._is_closing = False
        self._is_connected = True
        self._drained = asyncio.Event()
        self._heard_at = self._loop.time()
        self._heartbeat = self._loop.call_later(HEARTBEAT, self._look)

    def open(self) -> None:
        """Take what comes from now on."""
        self._transport.set_write_buffer_limits(high=ROOM)
        self._wire.upgrade(self)

    # What comes

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._heard_at = self._loop.time()
        self._reader.feed_data(data)
        if found := self._found.take():
            self._wire.whole()
            self._take_messages(found)
        if error := self._found.error:
            self.close(error.code if isinstance(error, WebSocketError) else WSCloseCode.INTERNAL_ERROR, str(error))
        return False, b""

    def feed_eof(self) -> None:
        """The client has gone."""
        self._is_connected = False
        self._heartbeat.cancel()
        self._drained.set()
        self._lost()

    def _take_messages(self, found: list[WSMessage]) -> None:
        bodies: list[bytes] = []
        for kind, content, _ in found:
            if kind is WSMsgType.BINARY:
                bodies.append(content)
                continue
            if bodies:
                self._hand_on(bodies)
                bodies = []
            if kind is WSMsgType.PING:
                self._answer(_framed(_PONG, bytes(content)))
            elif kind is WSMsgType.CLOSE:
                self._end(content)
            elif kind is WSMsgType.TEXT:
                self.close(WSCloseCode.PROTOCOL_ERROR, "Frames are binary.")
        if bodies:
            self._hand_on(bodies)

    def _hand_on(self, bodies: list[bytes]) -> None:
        if not self._is_closing:
            self._take(bodies)

    # What goes

    @property
    def is_open(self) -> bool:
        """Whether the client may be told anything."""
        return self._is_connected and not self._is_closing

    @property
    def has_room(self) -> bool:
        """Whether the client reads what it is told."""
        return not self._wire.writing_paused

    @property
    def unread(self) -> int:
        """Bytes that the client is still to read."""
        return self._wire.to_write()

    def write(self, bodies: Sequence[bytes]) -> None:
        """A message each. Raises ConnectionError where the client has gone, or was told goodbye."""
        if not self.is_open:
            raise ConnectionResetError("The client has gone.")
        if len(bodies) == 1 and len(bodies[0]) > LARGE:
            self._transport.writelines([_head(_BINARY, len(bodies[0])), bodies[0]])
        else:
            parts: list[bytes] = []
            for body in bodies:
                size = len(body)
                parts += _SHORT[size] if size < _SHORTER else _head(_BINARY, size), body
            self._transport.write(b"".join(parts))

    def answer(self, bodies: Sequence[bytes]) -> None:
        """As `write`, of what nobody waits for, and drops it where the client has gone. Of a client that does not read
        the answers nothing more is taken meanwhile."""
        if self.is_open:
            self.write(bodies)
            self._hold_back()

    def _answer(self, framed: bytes) -> None:
        if self.is_open:
            self._transport.write(framed)
            self._hold_back()

    def _hold_back(self) -> None:
        if not self.has_room:
            self._transport.pause_reading()

    def drained(self) -> None:
        """There is room again."""
        self._transport.resume_reading()
        self._drained.set()

    async def room(self) -> None:
        """Until there is some. Raises ConnectionError where the client has gone."""
        while self.is_open and not self.has_room:
            self._drained.clear()
            await self._drained.wait()
        if not self.is_open:
            raise ConnectionResetError("The client has gone.")

    # The end

    def close(self, code: int, why: str) -> None:
        """Say goodbye, behind all that was said before; the client may read it, and say so too."""
        if not self.is_open:
            return
        self._transport.write(_goodbye(code, why))
        self._is_closing = True
        self._drained.set()
        self._loop.call_later(CLOSES_WITHIN, self._transport.abort)

    def _end(self, code: int) -> None:
        """The client said goodbye."""
        self.close(code or WSCloseCode.OK, "")
        self._transport.close()

    def farewell(self, error: BrokerError) -> bytes:
        """What is written last where the connection is refused: what was written before are whole messages."""
        code = WSCloseCode.TRY_AGAIN_LATER if isinstance(error, Overloaded) else WSCloseCode.POLICY_VIOLATION
        return _goodbye(code, error.message)

    def _look(self) -> None:
        """Whether the client is still there."""
        now = self._loop.time()
        if now < self._heard_at + HEARTBEAT:
            self._heartbeat = self._loop.call_at(self._heard_at + HEARTBEAT, self._look)
        elif now < self._heard_at + HEARTBEAT + PONG_WITHIN:
            self._answer(_framed(_PING, b""))
            self._heartbeat = self._loop.call_later(PONG_WITHIN, self._look)
        else:
            self._transport.abort()


class _Found(WebSocketDataQueue):
    """What the parser found, in the place of a queue that a task would read."""

    error: BaseException | None = None
    """Why it finds nothing more."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._messages: list[WSMessage] = []

    def take(self) -> list[WSMessage]:
        found, self._messages = self._messages, []
        return found

    def feed_data(self, data: Any, size: int) -> None:
        self._messages.append(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self.error = exc


def _head(first: int, size: int) -> bytes:
    """Of a message of so many bytes, from a server: RFC 6455, section 5.2."""
    if size < _SHORTER:
        return bytes((first, size))
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2)
    return bytes((first, 127)) + size.to_bytes(8)


_SHORTER = 126
_SHORT = [_head(_BINARY, size) for size in range(_SHORTER)]
"""Heads of most answers."""


def _framed(first: int, content: bytes) -> bytes:
    return _head(first, len(content)) + content


def _goodbye(code: int, why: str) -> bytes:
    return _framed(_CLOSE, code.to_bytes(2) + why.encode()[:REASON_BYTES])
