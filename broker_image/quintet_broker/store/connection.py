"""Connections to the Redis of a URL: one Redis, the primary that Sentinels name, or the primaries of a Redis Cluster.

redis-py's own client of a Cluster is not used: it asks again by itself where it cannot be told which tick was stored,
sends ASKING over another connection than the command that needs it, and opens connections without bound.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError

from quintet_broker.store.address import Address, parse

CONNECTIONS = 16
"""To each Redis."""
TIMEOUT = 10.0
"""Seconds after which an answer counts as lost."""
CONNECT_TIMEOUT = 2.0
"""Seconds. So too for an answer of a Sentinel."""
REPLICATED_WITHIN = 1000
"""Milliseconds that replicas have for what is written; far more than they need, unless they are ill."""
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

    def __init__(self, name: str, redis: Redis) -> None:
        self.name = name
        self.redis = redis
        self.identity = ""
        """Of this Redis between two starts, and of the history that it continues; empty until somebody asked."""
        self.replicas = 0
        """How many must have what is written before it counts."""

    async def send(self, commands: Sequence[Command], replicated: bool = False) -> list[Any]:
        """Run commands in one round trip. An error that Redis answers stands in the place of its answer.

        Where they are to be replicated, everything that was written before them is too. Raises NotReplicated; other
        RedisErrors, OSError where answers were lost.
        """
        pipe = self.redis.pipeline(transaction=False)
        for arguments, options in commands:
            pipe.execute_command(*arguments, **options)
        if not replicated or not self.replicas:
            return await pipe.execute(raise_on_error=False)
        pipe.wait(self.replicas, REPLICATED_WITHIN)
        *answers, have = await pipe.execute(raise_on_error=False)
        if isinstance(have, RedisError):
            raise have
        if have < self.replicas:
            raise NotReplicated(f"{have} replicas of {self.name} have all of it, and {self.replicas} must.")
        return answers

    async def close(self) -> None:
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
            if not any(type(answer) is MovedError for answer in answers):
                break
            await self.discover()
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    async def _follow(self, commands: Sequence[Command], answers: list[Any], replicated: bool) -> None:
        """Ask what is just on its way to another node there."""

    async def close(self) -> None:
        for node in self.nodes:
            await node.close()


class SentinelConnection(Connection):
    """The primary that Sentinels name."""

    def __init__(self, node: Node, pool: "SentinelPool", sentinel: Sentinel) -> None:
        super().__init__(node)
        self._pool = pool
        self._sentinel = sentinel

    async def discover(self) -> None:
        # Closes the connections to one that is the primary no more.
        await self._pool.get_master_address()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        await super().close()
        for one in self._sentinel.sentinels:
            await one.aclose()


class SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the primary; who finds all of them taken waits for one."""


class ClusterConnection(Connection):
    """The primaries of a Redis Cluster, each for its slots."""

    of_cluster = True

    def __init__(self, seeds: Iterable[tuple[str, int]], connect: Callable[[str, int], Node]) -> None:
        self._seeds = list(seeds)
        self._connect = connect
        self._nodes: dict[str, Node] = {}
        self._slots: dict[int, Node] = {}
        self._ask_from = 0
        self._discovering = asyncio.Lock()
        self._discovered = 0

    @property
    def nodes(self) -> list[Node]:
        return list(self._nodes.values())

    def node(self, key: str) -> Node:
        slot = key_slot(key.encode())
        if slot not in self._slots:
            raise ClusterDownError(f"no node of the Redis Cluster serves slot {slot}")
        return self._slots[slot]

    async def discover(self) -> None:
        """Where a node is new, nothing is known of it: whoever needs its identity must ask for that."""
        before = self._discovered
        async with self._discovering:
            # Who waited for another that discovered need not do so too.
            if self._discovered == before:
                gone = self._learn(await self._ask_for_slots())
                self._discovered += 1
                await asyncio.gather(*(node.close() for node in gone))

    async def _ask_for_slots(self) -> list[tuple[int, int, str, int]]:
        """(first slot, last slot, host, port of the primary). Raises RedisError, OSError."""
        known = [_place(name) for name in self._nodes]
        places = list(dict.fromkeys(chain(known, self._seeds)))
        # One that has lost sight of the others may not be asked first each time.
        self._ask_from += 1
        turn = self._ask_from % len(places)
        failure: RedisError | OSError = ClusterDownError("the Redis Cluster has no node")
        for host, port in places[turn:] + places[:turn]:
            try:
                return await self._slots_as_told_by(host, port)
            except (RedisError, OSError) as error:
                failure = error
        raise failure

    async def _slots_as_told_by(self, host: str, port: int) -> list[tuple[int, int, str, int]]:
        known = self._nodes.get(_name(host, port))
        node = known or self._connect(host, port)
        try:
            # In two words, redis-py leaves the answer as it is.
            [ranges] = await node.send([(("CLUSTER", "SLOTS"), {})])
            if isinstance(ranges, RedisError):
                raise ranges
        finally:
            if not known:
                await node.close()
        return [
            # A node that does not know its own address tells none.
            (first, last, (primary[0] or b"").decode() or host, primary[1])
            for first, last, primary, *_ in ranges
        ]

    def _learn(self, ranges: list[tuple[int, int, str, int]]) -> list[Node]:
        """Returns the nodes that serve no slot any more."""
        before, self._nodes, self._slots = self._nodes, {}, {}
        for first, last, host, port in ranges:
            name = _name(host, port)
            node = self._nodes.get(name) or before.pop(name, None) or self._connect(host, port)
            self._nodes[name] = node
            self._slots.update(dict.fromkeys(range(first, last + 1), node))
        return list(before.values())

    async def _follow(self, commands: Sequence[Command], answers: list[Any], replicated: bool) -> None:
        for place, answer in enumerate(answers):
            if type(answer) is AskError:
                known = self._nodes.get(_name(answer.host, answer.port))
                node = known or self._connect(answer.host, answer.port)
                node.replicas = self.nodes[0].replicas
                try:
                    _, answers[place] = await node.send([(("ASKING",), {}), commands[place]], replicated)
                finally:
                    if not known:
                        await node.close()


def connection(url: str, connections: int = CONNECTIONS, timeout: float = TIMEOUT) -> Connection:
    """To the Redis of a URL; `connections` at most to each node, `timeout` in seconds. Opens nothing yet; is used by
    the event loop of its first use alone. Raises BadUrl.

    redis:// and rediss:// (TLS) host:port/db, unix:///path, redis+sentinel://host:port,host:port/<primary>/db,
    redis+cluster://host:port,host:port; credentials before an @, redis-py's options behind a question mark.
    """
    address = parse(url)
    limits: dict[str, Any] = {"max_connections": connections, "timeout": timeout}
    own = {
        "socket_timeout": timeout,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        # A retry that nobody knows of: the engine asks again where it may.
        "retry": Retry(NoBackoff(), 0),
    }
    options = limits | own | address.options
    if address.kind == "sentinel":
        return _by_sentinel(address, options)
    options["connection_class"] = address.connection_class

    def connect(host: str, port: int) -> Node:
        return Node(_name(host, port), _redis(BlockingConnectionPool(host=host, port=port, **options)))

    if address.kind == "cluster":
        return ClusterConnection(address.hosts, connect)
    if address.hosts:
        return Connection(connect(*address.hosts[0]))
    return Connection(Node(str(options["path"]), _redis(BlockingConnectionPool(**options))))


def _by_sentinel(address: Address, options: dict[str, Any]) -> SentinelConnection:
    tls = address.connection_class is SSLConnection
    of_sentinels: dict[str, Any] = {
        "ssl": tls,
        "socket_timeout": CONNECT_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
    }
    of_sentinels |= {name: value for name, value in options.items() if name.startswith("ssl_")}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=of_sentinels | address.sentinel_options
    )
    to_primary = SentinelManagedSSLConnection if tls else SentinelManagedConnection
    pool = SentinelPool(  # type: ignore[no-untyped-call]
        address.master, sentinel, connection_class=to_primary, **options
    )
    return SentinelConnection(Node(address.master, _redis(pool)), pool, sentinel)


def _redis(pool: BlockingConnectionPool) -> Redis:
    return Redis(connection_pool=pool)


def _name(host: str, port: int) -> str:
    return f"{host}:{port}"


def _place(name: str) -> tuple[str, int]:
    host, _, port = name.rpartition(":")
    return host, int(port)
