"""Node: one Redis that takes writes. Connection: the nodes that a URL leads to, this one to a single node."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection as RedisConnection
from redis.exceptions import MovedError, RedisError, ResponseError

REPLICATED_WITHIN = 1000
"""Milliseconds that replicas have for what is written; far more than they need, unless they are ill."""
ALL_WITHIN = 50
"""Milliseconds that all replicas have, if there are more than must have it."""
IDLE = 1.0
"""Seconds for which a connection that was not used counts as one that is still there."""
LARGE = 16 * 1024
"""Bytes of an argument."""
REDIRECTIONS = 3
"""How often one question follows a Cluster that moves its slots."""

Command = tuple[tuple[Any, ...], Mapping[str, Any]]
"""What is sent, and how redis-py is to read the answer."""
Fill = Callable[[Pipeline, "Node"], object]
"""Puts commands into a pipeline to that node."""


class NotReplicated(RedisError):
    """Too few replicas had what was written when they were waited for: it is stored, and may still be lost."""


class Node:
    """One Redis that takes writes."""

    def __init__(self, name: str, redis: Redis, timeout: float) -> None:
        """`timeout`: seconds after which an answer counts as lost."""
        self.name = name
        self.redis = redis
        self._timeout = timeout
        self._writer: RedisConnection | None = None
        """Of `write` alone, from the pool, while it is used."""
        self._written_at = 0.0
        self.identity = ""
        """Of this Redis between two starts, and of the history that it continues; empty until somebody asked."""
        self.replicas = 0
        """How many must have what is written before it counts."""
        self.connected = 0
        """How many there were when it was looked last."""
        self._dropped = 0
        """How often its connections were ended."""

    async def send(self, commands: Sequence[Command], replicated: bool = False) -> list[Any]:
        """Run commands in one round trip. An error that Redis answers stands in the place of its answer.

        Where they are to be replicated, everything that was written before them is too. Raises NotReplicated; other
        RedisErrors, OSError where answers were lost.
        """
        waits = self._waits() if replicated else []
        pipe = self.redis.pipeline(transaction=False)
        for arguments, options in [*commands, *((wait, {}) for wait in waits)]:
            pipe.execute_command(*arguments, **options)
        answers = await self._execute(pipe.execute(raise_on_error=False))
        return self._replicated(answers, len(waits))

    async def write(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """As `send`, of what is replicated and whose answers need no reading; one call after the other.

        It has a connection of its own and no layer in between: each tick goes this way.
        """
        waits = self._waits()
        answers = await self._execute(self._write([*commands, *waits]))
        return self._replicated(answers, len(waits))

    def _waits(self) -> list[tuple[Any, ...]]:
        """Commands behind those after which enough replicas have what was written."""
        if not self.replicas:
            return []
        waits: list[tuple[Any, ...]] = [("WAIT", self.replicas, REPLICATED_WITHIN)]
        if self.connected > self.replicas:
            # Who chooses the next primary may know the offsets of a moment ago.
            waits.insert(0, ("WAIT", self.connected, ALL_WITHIN))
        return waits

    def _replicated(self, answers: list[Any], waits: int) -> list[Any]:
        """The answers to what stood before so many waits. Raises NotReplicated, RedisError."""
        if not waits:
            return answers
        have = answers[-1]
        if isinstance(have, RedisError):
            raise have
        if have < self.replicas:
            raise NotReplicated(f"{have} replicas of {self.name} have all of it, and {self.replicas} must.")
        return answers[:-waits]

    async def _write(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        async with asyncio.timeout(self._timeout), self._writing() as connection:
            packed = [part for command in commands for part in _packed(connection, command)]
            await connection.send_packed_command(packed, check_health=False)
            return [await _answer(connection) for _ in commands]

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncIterator[RedisConnection]:
        """The connection of `write`, which is ended where not all answers were read."""
        pool, clock = self.redis.connection_pool, asyncio.get_running_loop().time
        connection, self._writer = self._writer, None
        if connection and clock() > self._written_at + IDLE:
            # Redis may have ended it since; the pool looks.
            connection.socket_timeout = self._timeout
            await pool.release(connection)
            connection = None
        if connection is None:
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
            # One timeout for all is enough, and redis-py's costs two turns of the event loop.
            connection.socket_timeout = None
        try:
            yield connection
        except BaseException:
            connection.socket_timeout = self._timeout
            await connection.disconnect(nowait=True)
            await pool.release(connection)
            raise
        self._writer, self._written_at = connection, clock()

    async def _execute(self, run: Coroutine[Any, Any, list[Any]]) -> list[Any]:
        dropped = self._dropped
        try:
            return await run
        except TimeoutError as error:
            raise RedisError(f"{self.name} does not answer.") from error
        except (AttributeError, RuntimeError) as error:
            if dropped == self._dropped:
                raise
            # Of a connection that is ended while it is used, redis-py says so too.
            raise RedisError(f"The connection to {self.name} was ended.") from error

    async def drop(self) -> None:
        """End all connections: those who wait for an answer have lost it."""
        self._dropped += 1
        with contextlib.suppress(RedisError, OSError):
            await self.redis.connection_pool.disconnect(inuse_connections=True)

    async def close(self) -> None:
        self._dropped += 1
        await self.redis.aclose(close_connection_pool=True)


def _packed(connection: RedisConnection, command: tuple[Any, ...]) -> list[bytes]:
    """A command as Redis reads it: by hiredis, which is faster, or in parts, by which what is large is not copied."""
    if any(len(argument) > LARGE for argument in command if type(argument) is bytes):
        return connection.pack_command(*command)
    return [pack_command(command)]


async def _answer(connection: RedisConnection) -> Any:
    """The next one, or the error that Redis answers."""
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


class Connection:
    """The nodes that a URL leads to. `discover` finds them; this one has a single node, always the same."""

    of_cluster = False
    """Whether each node has its slots."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def nodes(self) -> list[Node]:
        """All that take writes."""
        return [self._node]

    def node(self, key: str) -> Node:
        """The one that has a key. Raises RedisError."""
        return self._node

    async def discover(self) -> None:
        """Find out which nodes there are. Raises RedisError, OSError."""

    async def run(self, key: str, fill: Fill, replicated: bool = False) -> list[Any]:
        """The answers to commands about `key` and other keys of its slot, in one round trip where no slot moves.

        Where one moves, they are put together and sent again: they must do no harm if that happens. Raises the first
        RedisError that was answered, NotReplicated, OSError.
        """
        for _ in range(REDIRECTIONS):
            node = self.node(key)
            pipe = node.redis.pipeline(transaction=False)
            fill(pipe, node)
            commands: list[Command] = list(pipe.command_stack)
            answers = await node.send(commands, replicated)
            await self._follow(commands, answers, replicated)
            moved = next((answer for answer in answers if type(answer) is MovedError), None)
            if moved is None:
                break
            await self._go(moved)
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    async def _go(self, moved: MovedError) -> None:
        """Note where a slot is now."""

    async def _follow(self, commands: Sequence[Command], answers: list[Any], replicated: bool) -> None:
        """Ask what is just on its way to another node there."""

    async def drop(self) -> None:
        """End all connections: those who wait for an answer have lost it."""
        for node in self.nodes:
            await node.drop()

    async def close(self) -> None:
        for node in self.nodes:
            await node.close()


def name_of(host: str, port: int) -> str:
    """Of the node there."""
    return f"{host}:{port}"
