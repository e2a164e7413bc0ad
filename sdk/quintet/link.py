"""Link: an open connection to one broker."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from aiohttp import WSMsgType

from quintet import frames
from quintet.coalescer import Answered
from quintet.errors import ConnectionLost, MessageTooLarge, QuintetError, TimedOut, Unavailable, UnknownKey, named
from quintet.outbox import Outbox
from quintet.reach import reason
from quintet.retry import ATTEMPT

if TYPE_CHECKING:
    from quintet.receive import Receive

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


class Asked(NamedTuple):
    """A request until it is answered."""

    answered: Answered
    place: int
    """In the outbox."""
    at: float
    within: float
    """Seconds."""


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
        self.receives: dict[int, Receive] = {}
        self._socket = socket
        self._frame_bytes = welcome.frame_bytes
        self._moved = moved
        self._gone = gone
        self._requests: dict[int, Asked] = {}
        self._alarm: asyncio.TimerHandle | None = None
        """For the first of them that is not answered in time."""
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

    def ask(self, request: frames.Request, answered: Answered, within: float) -> None:
        """Raises ConnectionLost, MessageTooLarge. `within`: seconds, the same for all."""
        self._last += 1
        request.id = self._last
        loop = asyncio.get_running_loop()
        self._requests[request.id] = Asked(answered, self._say(request), loop.time(), within)
        if self._alarm is None:
            self._alarm = loop.call_later(within, self._end_late_ones)

    def receive(self, asked: frames.Receive, receive: "Receive") -> None:
        """Open a receive, and number it. Raises ConnectionLost, MessageTooLarge."""
        self._last += 1
        asked.id = self._last
        self._say(asked)
        self.receives[asked.id] = receive

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

    def _end_late_ones(self) -> None:
        loop = asyncio.get_running_loop()
        self._alarm = None
        while self._requests:
            number, asked = next(iter(self._requests.items()))
            if asked.at + asked.within > loop.time():
                self._alarm = loop.call_at(asked.at + asked.within, self._end_late_ones)
                return
            del self._requests[number]
            self._outbox.take_back(asked.place)
            asked.answered(self.late(asked.within))

    def late(self, within: float) -> TimedOut:
        """What is told where no answer came within so many seconds. Where that is for ever, the link is dropped."""
        if within >= ATTEMPT:
            # It hangs, and so would what is asked next.
            self.drop()
        return TimedOut(f"{self.where} did not answer within {within:.3g} s.")

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
        if isinstance(frame, frames.Deliver | frames.DeliverBatches):
            receive = self.receives.get(frame.id) if frame.open else self.receives.pop(frame.id, None)
            if receive:
                receive.deliver(frame)
        elif isinstance(frame, frames.Moved):
            self._moved(frame.queue, frame.address)
        elif isinstance(frame, frames.Refused):
            error = named(frame.error, frame.detail, frame.status)
            if receive := self.receives.pop(frame.id, None):
                receive.end(error)
            else:
                self._answer(frame.id, error)
        else:
            self._answer(frame.id, frame)

    def _answer(self, number: int, answer: Any) -> None:
        # None where it came too late.
        if asked := self._requests.pop(number, None):
            asked.answered(answer)

    def _end(self, lost: ConnectionLost) -> None:
        self.lost = lost
        self._outbox.close()
        self._gone(self)
        if self._alarm:
            self._alarm.cancel()
        requests, self._requests = self._requests, {}
        for asked in requests.values():
            asked.answered(lost)
        receives, self.receives = self.receives, {}
        for receive in receives.values():
            receive.end(lost)


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
