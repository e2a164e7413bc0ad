"""Writer: a connection to Redis by which ticks are written, many commands at a time.

redis-py makes it and ends it. In between nothing of a layer is left: what is asked is written at once, and who waits is
told by the turn of the event loop in which the last answer comes.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from hiredis import PushNotification, Reader, pack_command
from redis.asyncio.connection import AbstractConnection as RedisConnection
from redis.asyncio.connection import DefaultParser
from redis.exceptions import RedisError

LARGE = 16 * 1024
"""Bytes of an argument."""
LOST = "The connection was lost."
_PART = object()
"""In the place of an answer that has not come whole."""


class Writer(asyncio.Protocol):
    """Over a connection on which nothing is under way."""

    def __init__(self, connection: RedisConnection, timeout: float) -> None:
        """`timeout`: seconds after which an answer counts as lost."""
        self.connection = connection
        self._timeout = timeout
        assert connection._writer
        self._transport: Any = connection._writer.transport
        self._before: asyncio.BaseProtocol = self._transport.get_protocol()
        """redis-py's, which is told of the end alone."""
        self._reader = Reader(replyError=DefaultParser.parse_error, notEnoughData=_PART)
        self._loop = asyncio.get_running_loop()
        self._answers: list[Any] = []
        self._awaited = 0
        self._answered: asyncio.Future[list[Any]] | None = None
        self._late_at = 0.0
        """When what is awaited counts as lost."""
        self._watch: asyncio.TimerHandle | None = None
        self.is_open = True
        self._transport.set_protocol(self)

    async def write(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """An answer to each, or the error in its place. One call after the other; where one fails, nothing may follow.

        Raises RedisError, where not all came in time or the connection was lost.
        """
        if not self.is_open:
            raise RedisError(LOST)
        self._answers, self._awaited = [], len(commands)
        answered: asyncio.Future[list[Any]] = self._loop.create_future()
        self._answered = answered
        self._transport.writelines([part for command in commands for part in self._packed(command)])
        self._late_at = self._loop.time() + self._timeout
        if self._watch is None:
            self._watch = self._loop.call_at(self._late_at, self._look)
        return await answered

    def _look(self) -> None:
        """Whether an answer is late. To set a timer for each write would cost more."""
        self._watch = None
        if self._answered is None or self._answered.done():
            return
        if self._loop.time() < self._late_at:
            self._watch = self._loop.call_at(self._late_at, self._look)
        else:
            self._end("Redis does not answer.")

    def _packed(self, command: tuple[Any, ...]) -> list[bytes]:
        """As Redis reads it: by hiredis, which is faster, or in parts, by which what is large is not copied."""
        if any(len(argument) > LARGE for argument in command if type(argument) is bytes):
            return self.connection.pack_command(*command)
        return [pack_command(command)]

    def _end(self, why: str) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(RedisError(why))

    # The protocol

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not _PART:
            # What a Redis tells of itself answers nothing.
            if not isinstance(answer, PushNotification):
                self._answers.append(answer)
        if len(self._answers) == self._awaited and self._answered and not self._answered.done():
            self._answered.set_result(self._answers)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._watch:
            self._watch.cancel()
        self._end(LOST)
        self._before.connection_lost(error)
