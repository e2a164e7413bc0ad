"""What is kept in Redis, and the verbs on it. It knows bytes, keys and epochs, and no records."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import resources
from itertools import islice
from typing import Any, cast

from redis.asyncio.client import Pipeline
from redis.exceptions import AskError, ExecAbortError, OutOfMemoryError, RedisError, TryAgainError

from quintet_broker.errors import NotOwner, Unavailable
from quintet_broker.store.connection import connection
from quintet_broker.store.keys import POOL, Keys
from quintet_broker.store.node import Command, Fill, Node
from quintet_broker.store.plan import plan
from quintet_broker.store.promises import SETTINGS, Durability, Server, broken
from quintet_broker.store.tick import Outcome, Pool, Taken, Tick

logger = logging.getLogger(__name__)

OLDEST = (6, 2)
"""Version of Redis."""
DISCOVER_EVERY = 1.0
"""Seconds between looks for another Redis in the place of one that does not answer."""
FULL_AT = 0.8
"""Share of Redis's memory limit from which on nothing is appended; the rest is for what frees memory."""
TAIL_JUMP = 10**9
"""More offsets than any store can have lost."""
NUMBER_JUMP = 10**4
"""More shards than any store can have lost the numbers of."""
ERASED = 2**53 - 1
"""Generation by which nobody takes a shard any more."""
ERASED_KEPT = 60 * 60 * 1000
"""Milliseconds for which it is kept that a shard was erased: its last owner may not have heard of it."""
EPOCH_CLOCK_START = 1_700_000_000
"""Epochs follow a clock of seconds since then, and fit the 32 bits of a batch's partition leader epoch."""


boot_time = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds since this machine started, those asleep included: it never goes back."""


class Store:
    """One pool's data in the Redis of a URL."""

    def __init__(self, url: str, prefix: str, durability: Durability = "Fsync") -> None:
        """Raises BadUrl."""
        self.keys = Keys(prefix)
        self.durability = durability
        self.full = False
        """Whether appends must be refused; `check` finds it out, and what follows."""
        self.used_bytes = self.limit_bytes = 0
        """Of Redis's memory, of all nodes of a Cluster; a limit of 0 is none."""
        self.redis_version = ""
        """The oldest one of a Cluster."""
        self.warnings: list[str] = []
        """What Redis's settings do not hold of the durability."""
        self.losses = 0
        """How often there was another Redis in the place of one, which may have lost what that had confirmed."""
        self._connection = connection(url)
        self._identities: set[str] = set()
        self._owned: set[int] = set()
        """Shards that were taken by this process."""
        self._clock_ahead = time.time() - boot_time()

    async def connect(self) -> None:
        """Load the scripts and learn which Redis this is. Raises Unavailable. Called again after each lost answer."""
        try:
            await self._connection.discover()
            servers = await self._servers_if_still_there()
            scripts = _scripts(min(server.version for server in servers.values()))
            for node, server in servers.items():
                self._check_use(node, server)
                self._tick, self._tick_freeing, self._take, self._number, self._entries = [
                    await node.redis.script_load(script) for script in scripts
                ]
                node.replicas = server.replicas_needed if self.durability == "Replicated" else 0
                # What was written before may not be everywhere yet.
                await node.send([(("PING",), {})], replicated=True)
                node.identity = server.identity
            await self.check()
            identities = {server.identity for server in servers.values()}
            self.losses += bool(self._identities - identities)
            self._identities = identities
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis cannot be used: {error}") from error

    async def _servers(self) -> dict[Node, Server]:
        nodes = self._connection.nodes
        servers = dict(zip(nodes, await asyncio.gather(*map(_server, nodes)), strict=True))
        for node, server in servers.items():
            node.connected = server.info["connected_slaves"]
        return servers

    async def _servers_if_still_there(self) -> dict[Node, Server]:
        """As `_servers`. One that hangs is waited for until another one took its place, or its time is over."""
        asked = asyncio.ensure_future(self._servers())
        try:
            while not asked.done():
                with contextlib.suppress(RedisError, OSError):
                    await self._connection.discover()
                await asyncio.wait([asked], timeout=DISCOVER_EVERY)
        finally:
            asked.cancel()
        return asked.result()

    def _check_use(self, node: Node, server: Server) -> None:
        """Raises Unavailable where a pool cannot be kept there."""
        info = server.info
        if server.version < OLDEST:
            raise Unavailable(
                f"The Redis {node.name} is {info['redis_version']}, and 6.2 is the oldest that is served."
            )
        if info["role"] != "master":
            raise Unavailable(f"The Redis {node.name} is a replica, which takes no writes.")
        if info["redis_mode"] == "cluster" and not self._connection.of_cluster:
            raise Unavailable(f"The Redis {node.name} is a node of a Cluster: use redis+cluster://.")

    async def close(self) -> None:
        await self._connection.close()

    async def check(self) -> None:
        """Read Redis's clock, how full it is and what it is set to.

        Raises Unavailable, also where it is not the one of `connect`.
        """
        try:
            servers = await self._servers_if_still_there()
            await self._read_clock()
        except (RedisError, OSError) as error:
            # A write to one that hangs is not answered either, and what follows waits for it.
            await self._connection.drop()
            raise Unavailable(f"Redis does not answer: {error}") from error
        for node, server in servers.items():
            if server.identity != node.identity:
                raise Unavailable(f"The Redis {node.name} was started anew, or another one took its place.")
        self.full = any(_is_full(server) for server in servers.values())
        self.used_bytes = sum(server.info["used_memory"] for server in servers.values())
        self.limit_bytes = sum(server.info["maxmemory"] for server in servers.values())
        self.redis_version = min(servers.values(), key=lambda server: server.version).info["redis_version"]
        self._warn(servers)

    def _warn(self, servers: Mapping[Node, Server]) -> None:
        found = []
        for node, server in servers.items():
            of_node = f"{node.name}: " if len(servers) > 1 else ""
            found += [of_node + warning for warning in broken(self.durability, server)]
        for warning in found:
            if warning not in self.warnings:
                logger.warning("Redis does not hold what durability %s promises: %s", self.durability, warning)
        self.warnings = found

    async def _read_clock(self) -> None:
        before = boot_time()
        [(seconds, microseconds)] = await self._connection.run(self.keys.directory, lambda pipe, _: pipe.time())
        # Redis read its clock at some moment since `before`: an answer that comes late changes nothing.
        time_there = seconds + microseconds / 1e6
        self._clock_ahead = min(max(self._clock_ahead, time_there - boot_time()), time_there - before)

    def now(self) -> int:
        """Milliseconds since 1970: Redis's clock, carried forward by this machine's, which never goes back."""
        return int((boot_time() + self._clock_ahead) * 1000)

    async def number(self, kind: str, name: str, uid: str, index: int = 0) -> int:
        """The number of a shard, given by the pool's directory at the first call."""
        directory, field = self.keys.directory, f"{kind}/{name}/{uid}/{index}"

        def fill(pipe: Pipeline, node: Node) -> None:
            pipe.evalsha(self._number, 1, directory, field, node.identity, NUMBER_JUMP)

        [number] = await self._run(directory, fill, replicated=True)
        return int(number)

    async def drop_number(self, kind: str, name: str, uid: str, index: int = 0) -> None:
        """Forget a shard's number, which is never given again. Raises Unavailable."""
        directory, field = self.keys.directory, f"{kind}/{name}/{uid}/{index}"
        await self._change(directory, lambda pipe: pipe.hdel(directory, field))

    async def take(self, shard: int, owner: str = "", generation: int = 0) -> Taken:
        """Become the shard's owner, by the pool's table of that generation, and read its state.

        Raises Unavailable, NotOwner where it was taken by a later table.
        """
        keys = self.keys

        def fill(pipe: Pipeline, node: Node) -> None:
            self._raise_epoch(shard, pipe, node, owner, generation)
            pipe.hgetall(keys.meta(shard))
            pipe.hgetall(keys.cursor(shard))
            pipe.hgetall(keys.sequences(shard))
            pipe.zcard(keys.delayed(shard))
            pipe.zrange(keys.delayed(shard), 0, 0, withscores=True)
            pipe.zrange(keys.delayed(shard), -1, -1, withscores=True)

        # What the last owner wrote counts only with this: it may have ended before it could wait for replicas.
        answers = await self._run(keys.meta(shard), fill, replicated=True)
        epoch, fields, cursor, sequences, delayed, first, last = answers
        if isinstance(epoch, bytes):
            raise _taken_by(int(epoch))
        self._owned.add(shard)
        meta = {field.decode(): value.decode() for field, value in fields.items()}
        _tell_of_jump(shard, meta)
        return Taken(
            epoch=epoch,
            meta=meta,
            cursor={field.decode(): value for field, value in cursor.items()},
            sequences={int(producer): state.decode() for producer, state in sequences.items()},
            delayed=delayed,
            delayed_next=int(first[0][1]) if first else None,
            delayed_last=int(last[0][1]) if last else 0,
            buckets=_bucket_numbers(meta.get("dedup")),
        )

    def _raise_epoch(self, shard: int, pipe: Pipeline, node: Node, owner: str, generation: int) -> None:
        if not node.identity:
            raise Unavailable(f"The Redis {node.name} is new in its Cluster.")
        clock = int(time.time()) - EPOCH_CLOCK_START
        meta = self.keys.meta(shard)
        owned = int(shard in self._owned)
        pipe.evalsha(self._take, 1, meta, clock, node.identity, TAIL_JUMP, generation, owner, owned)

    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]:
        """Apply ticks of several shards in one round trip to each node; each by itself is all or nothing."""
        by_node: dict[Node, list[int]] = {}
        outcomes = [Outcome.LOST] * len(ticks)
        for place, tick in enumerate(ticks):
            try:
                node = self._connection.node(self.keys.meta(tick.shard))
            except RedisError:
                continue
            by_node.setdefault(node, []).append(place)
        writing = [self._write_to(node, [ticks[place] for place in places]) for node, places in by_node.items()]
        # Most have one node, and gather makes a task even for one.
        written = [await writing[0]] if len(writing) == 1 else await asyncio.gather(*writing)
        for places, found in zip(by_node.values(), written, strict=True):
            for place, outcome in zip(places, found, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def _write_to(self, node: Node, ticks: Sequence[Tick]) -> list[Outcome]:
        calls = [self._calls(tick) for tick in ticks]
        try:
            answers = iter(await node.write([call for of_tick in calls for call in of_tick]))
        except (RedisError, OSError) as error:
            logger.warning("a write to the Redis %s is not confirmed: %s", node.name, error)
            return [Outcome.LOST] * len(ticks)
        return [_outcome(list(islice(answers, len(of_tick)))) for of_tick in calls]

    def _calls(self, tick: Tick) -> list[tuple[Any, ...]]:
        """What applies a tick: its script, in a transaction where more belongs to it."""
        keys, arguments, behind = plan(tick, self.keys)
        script = self._tick if tick.grows else self._tick_freeing
        call = ("EVALSHA", script, len(keys), *keys, *arguments)
        return [("MULTI",), call, *behind, ("EXEC",)] if behind else [call]

    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]:
        """Up to `count` batches of a segment, each with the offset behind it, beginning with the one that covers
        `offset`. Raises Unavailable."""
        key = self.keys.segment(shard, log, segment)
        entries = await self._ask(key, lambda pipe: pipe.xrange(key, min=f"{offset + 1}-0", count=count))
        return [(int(entry.partition(b"-")[0]), fields[b"b"]) for entry, fields in entries]

    async def bucket_sizes(self, shard: int, buckets: Sequence[int]) -> list[int]:
        """Bytes of some buckets of deduplication ids, 0 of one that is gone. Raises Unavailable."""
        keys = [self.keys.bucket(shard, bucket) for bucket in buckets]
        return await self._run(self.keys.meta(shard), lambda pipe, _: [pipe.strlen(key) for key in keys])

    async def bucket(self, shard: int, bucket: int) -> bytes:
        """What is in a bucket of deduplication ids, nothing where it is gone. Raises Unavailable."""
        key = self.keys.bucket(shard, bucket)
        found = await self._ask(key, lambda pipe: pipe.get(key))
        return cast(bytes, found or b"")

    async def due(self, shard: int, until: int, count: int) -> list[bytes]:
        """Up to `count` delayed batches that are due by `until` (milliseconds), earliest first. Raises Unavailable."""
        key = self.keys.delayed(shard)
        found = await self._ask(key, lambda pipe: pipe.zrange(key, 0, until, byscore=True, offset=0, num=count))
        return cast(list[bytes], found)

    async def next_due(self, shard: int) -> int | None:
        """Millisecond at which the first delayed batch is due. Raises Unavailable."""
        key = self.keys.delayed(shard)
        first = await self._ask(key, lambda pipe: pipe.zrange(key, 0, 0, withscores=True))
        return int(first[0][1]) if first else None

    async def erase(self, shard: int) -> None:
        """Delete everything of a shard that is no longer owned by anybody; none takes it any more. Raises Unavailable.

        That it was erased is kept for a while.
        """
        keys = self.keys
        # A write that its last owner sent and that is still on its way must not bring some of it back.
        await self._run(keys.meta(shard), lambda pipe, node: self._raise_epoch(shard, pipe, node, "", ERASED))
        meta = await self._ask(keys.meta(shard), lambda pipe: pipe.hgetall(keys.meta(shard)))
        segments = [keys.of_shard(shard, field.decode()) for field in meta if field.startswith(b"seg:")]
        buckets = [keys.bucket(shard, number) for number in _bucket_numbers(meta.get(b"dedup", b"").decode())]
        gone = [*segments, *buckets, keys.cursor(shard), keys.delayed(shard), keys.sequences(shard)]

        def fill(pipe: Pipeline, _: Node) -> None:
            pipe.unlink(*gone)
            pipe.hdel(keys.meta(shard), *(field for field in meta if field != b"by"))
            pipe.pexpire(keys.meta(shard), ERASED_KEPT)

        await self._run(keys.meta(shard), fill, replicated=True)

    # The pool

    async def take_pool(self, owner: str, generation: int) -> int:
        """Become the one who changes what exists in the pool; the epoch of its changes.

        Raises Unavailable, NotOwner where it was taken by a later table.
        """
        [epoch] = await self._run(
            self.keys.meta(POOL),
            lambda pipe, node: self._raise_epoch(POOL, pipe, node, owner, generation),
            replicated=True,
        )
        if isinstance(epoch, bytes):
            raise _taken_by(int(epoch))
        return int(epoch)

    async def pool(self) -> Pool:
        """What exists in the pool. Raises Unavailable."""

        def fill(pipe: Pipeline, _: Node) -> None:
            # First: what follows is at least as new.
            pipe.hget(self.keys.meta(POOL), "version")
            pipe.hgetall(self.keys.entries)
            pipe.get(self.keys.topology)

        version, entries, document = await self._run(self.keys.meta(POOL), fill)
        return Pool(int(version or 0), {name.decode(): value for name, value in entries.items()}, document)

    async def pool_version(self) -> int:
        """Of what exists in the pool. Raises Unavailable."""
        return int(await self._ask(key := self.keys.meta(POOL), lambda pipe: pipe.hget(key, "version")) or 0)

    async def change_pool(
        self, epoch: int, entries: dict[str, bytes | None], document: bytes | None = None, version: int = 0
    ) -> int:
        """Store a document, and set, or with None drop, entries by kind/name; the new version, above the given one.

        Raises Unavailable, NotOwner where another took the pool since `epoch`.
        """
        keys = [self.keys.meta(POOL), self.keys.entries, self.keys.topology]
        pairs = [part for name, value in entries.items() for part in (name, value or b"")]
        arguments = [epoch, version, document or b"", *pairs]
        found = await self._change(keys[0], lambda pipe: pipe.evalsha(self._entries, len(keys), *keys, *arguments))
        if found is None:
            raise NotOwner
        return int(found)

    async def _ask(self, key: str, fill: Callable[[Pipeline], object]) -> Any:
        """The answer to the one command that `fill` makes. Raises Unavailable."""
        [answer] = await self._run(key, lambda pipe, _: fill(pipe))
        return answer

    async def _change(self, key: str, fill: Callable[[Pipeline], object]) -> Any:
        """As `_ask`, of a command that writes."""
        [answer] = await self._run(key, lambda pipe, _: fill(pipe), replicated=True)
        return answer

    async def _run(self, key: str, fill: Fill, replicated: bool = False) -> list[Any]:
        try:
            return await self._connection.run(key, fill, replicated)
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {error}") from error


async def _server(node: Node) -> Server:
    """Raises RedisError, OSError."""
    commands: list[Command] = [(("INFO",), {}), *((("CONFIG GET", name), {}) for name in SETTINGS)]
    info, *answers = await node.send(commands)
    if isinstance(info, RedisError):
        raise info
    settings: dict[str, str] = {}
    for answer in answers:
        # Many of those who run a Redis for others forbid it.
        if not isinstance(answer, RedisError):
            settings |= answer
    return Server(info, settings)


def _taken_by(generation: int) -> NotOwner:
    """Why a shard cannot be taken. That it was erased is no generation: nobody is to believe that one."""
    return NotOwner(generation=0 if generation == ERASED else generation)


def _tell_of_jump(shard: int, meta: Mapping[str, str]) -> None:
    """Where nothing was appended since a tail jumped: what the store may have lost was not noticed otherwise."""
    for field, end in meta.items():
        kind, *place = field.split(":")
        if kind == "gap" and meta.get(f"tail:{place[0]}") == end:
            logger.warning("shard %d: its Redis is another one, a gap of offsets begins at %s", shard, place[1])


def _is_full(server: Server) -> bool:
    return bool(0 < server.info["maxmemory"] * FULL_AT <= server.info["used_memory"])


def _scripts(version: tuple[int, ...]) -> list[str]:
    """The texts of tick, tick for writes that only free memory, take, number and entries.

    From Redis 7 on a script says by flags whether it may run when memory is full; an older Redis has no such
    flags, and is used without a memory limit.
    """
    return [
        script("tick_v1", version, freeing=False),
        *(script(name, version) for name in ("tick_v1", "take_v1", "number_v1", "entries_v1")),
    ]


def script(name: str, version: tuple[int, ...], freeing: bool = True) -> str:
    """One of our scripts as that version of Redis wants it; one that is `freeing` runs when memory is full, too."""
    text = resources.files("quintet_broker.store.scripts").joinpath(f"{name}.lua").read_text()
    if version < (7,):
        return text
    return f"#!lua flags={'allow-oom' if freeing else ''}\n{text}"


def _outcome(answers: list[Any]) -> Outcome:
    """Of a tick, by the answers to what applies it."""
    if isinstance(answers[-1], list):
        # A transaction's. What came behind a script that refused can say nothing.
        script, *behind = answers[-1]
        answers = [script, *behind] if script == b"OK" else [script]
    error = next((answer for answer in answers if isinstance(answer, RedisError)), None)
    if error is None:
        return Outcome.APPLIED if answers[0] == b"OK" else Outcome.FENCED
    if isinstance(error, OutOfMemoryError) or _ended_full(error):
        return Outcome.FULL
    if isinstance(error, (AskError, TryAgainError)):
        return Outcome.MOVING
    logger.warning("Redis did not run a tick: %s", error)
    return Outcome.LOST


def _ended_full(error: RedisError) -> bool:
    """Whether a transaction ended because Redis was full once it had come."""
    return isinstance(error, ExecAbortError) and "OOM" in str(error)


def _bucket_numbers(first_and_last: str | None) -> range:
    if not first_and_last:
        return range(0)
    first, last = map(int, first_and_last.split(":"))
    return range(first, last + 1)
