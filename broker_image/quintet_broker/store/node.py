"""Node: one Redis that takes writes. Connection: the nodes that a URL leads to, this one to a single node."""

import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import MovedError, RedisError

from quintet_broker.store.writer import Writer

REPLICATED_WITHIN = 1000
"""Milliseconds that replicas have for what is written; far more than they need, unless they are ill."""
ALL_WITHIN = 50
"""Milliseconds that all replicas have, if there are more than must have it."""
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
        self._writer: Writer | None = None
        """Over a connection from the pool that no other uses."""
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

        Each tick goes this way.
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
        if self._writer and not self._writer.is_open:
            # Redis ended it since.
            await self._end_writer(self._writer)
        if self._writer is None:
            found = await self.redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            self._writer = Writer(found, self._timeout)
        writer = self._writer
        try:
            return await writer.write(commands)
        except BaseException:
            await self._end_writer(writer)
            raise

    async def _end_writer(self, writer: Writer) -> None:
        self._writer = None
        await writer.connection.disconnect(nowait=True)
        await self.redis.connection_pool.release(writer.connection)

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
