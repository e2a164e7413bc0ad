"""Listener: serves what the other brokers of the pool ask of this one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from quintet_broker.engine.peers import wire
from quintet_broker.engine.peers.connection import BROKEN, READ_AHEAD, Connection
from quintet_broker.engine.peers.wire import Ask, Call, Cancel, Message
from quintet_broker.engine.requests import Request
from quintet_broker.errors import BrokerError

logger = logging.getLogger(__name__)

HANGS_UP_WITHIN = 2.0
"""Seconds."""

Verb = Callable[[bytes], Awaitable[Any]]
"""From its argument to its answer, which msgspec can encode. May raise BrokerError."""


class Listener:
    """Accepts the links of other brokers, from `start` to `stop`."""

    def __init__(
        self,
        secret: bytes,
        serve: Callable[[int, Request[Any]], None],
        generation: Callable[[], int],
        heard: Callable[[int], None],
    ) -> None:
        """`serve` has a request served by a shard that is owned here, and raises NotOwner for others."""
        self.verbs: dict[str, Verb] = {}
        self._secret = secret
        self._serve = serve
        self._generation = generation
        self._heard = heard
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=READ_AHEAD)

    async def stop(self) -> None:
        """Others hang up as soon as they know that this broker left and have heard its answers: to close a connection
        before would take from them what they have not read."""
        if self._server:
            self._server.close()
        if self._links:
            await asyncio.wait(self._links, timeout=HANGS_UP_WITHIN)
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served: Served | None = None
        try:
            served = Served(await Connection.accept(reader, writer, self._secret, self._generation), self)
            while True:
                frame = await served.connection.receive()
                self._heard(frame.generation)
                for message in frame.messages:
                    served.take(message)
        except BROKEN as error:
            logger.info("a link of another broker ended: %s", error or type(error).__name__)
        finally:
            if served:
                served.end()
            writer.close()

    def serve(self, asked: Ask) -> Request[Any]:
        request = wire.request(asked)
        self._serve(asked.shard, request)
        return request


class Served:
    """One broker's link, and what is under way for it."""

    def __init__(self, connection: Connection, listener: Listener) -> None:
        self.connection = connection
        self._listener = listener
        self._under_way: dict[int, asyncio.Future[Any]] = {}

    def take(self, message: Message) -> None:
        if isinstance(message, Ask):
            try:
                future = self._listener.serve(message).future
            except BrokerError as error:
                self._send(wire.refusal(message.id, error))
                return
        elif isinstance(message, Call):
            future = asyncio.ensure_future(self._call(message))
        else:
            if isinstance(message, Cancel) and (found := self._under_way.get(message.id)):
                found.cancel()
            return
        self._under_way[message.id] = future
        future.add_done_callback(lambda done: self._done(message.id, done))

    async def _call(self, call: Call) -> Any:
        return await self._listener.verbs[call.verb](call.argument)

    def _done(self, number: int, future: asyncio.Future[Any]) -> None:
        self._under_way.pop(number, None)
        if future.cancelled():
            self._send(wire.Refusal(number, "Unavailable", "It was cancelled."))
        elif error := future.exception():
            if not isinstance(error, BrokerError):
                logger.error("a verb of another broker failed", exc_info=error)
            self._send(wire.refusal(number, error))
        else:
            self._send(wire.answer(number, future.result()))

    def _send(self, message: Message) -> None:
        try:
            self.connection.send(message)
        except BrokerError:
            # It does not read its answers: it will learn nothing more from us.
            self.connection.close()

    def end(self) -> None:
        """Whoever asked is gone: what waits for it is given up."""
        self.connection.close()
        for future in list(self._under_way.values()):
            future.cancel()
