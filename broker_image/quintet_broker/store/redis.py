"""The only file that talks to Redis. It knows bytes, keys and epochs, and no records."""

import logging
import time
from collections.abc import Sequence
from importlib import resources
from typing import Any, cast

import msgpack
from msgspec import structs
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError

from quintet_broker.errors import Unavailable
from quintet_broker.store.keys import Keys
from quintet_broker.store.tick import Outcome, Taken, Tick

logger = logging.getLogger(__name__)

CONNECTIONS = 16
TIMEOUT = 10.0
"""Seconds after which an answer counts as lost."""
FULL_AT = 0.8
"""Share of Redis's memory limit from which on nothing is appended; the rest is for what frees memory."""
TAIL_JUMP = 10**9
"""More offsets than any store can have lost."""
EPOCH_CLOCK_START = 1_700_000_000
"""Epochs follow a clock of seconds since then, and fit the 32 bits of a batch's partition leader epoch."""


class Store:
    """One pool's data in one Redis."""

    def __init__(self, url: str, prefix: str) -> None:
        self.keys = Keys(prefix)
        self.full = False
        """Whether appends must be refused; `check` finds it out."""
        self._redis: Redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=TIMEOUT,
                socket_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        )
        self._id = ""
        self._clock_ahead = time.time() - _boot_time()

    async def connect(self) -> None:
        """Load the scripts and learn which Redis this is. Raises Unavailable. Called again after each lost answer."""
        try:
            info = await self._redis.info()
            self._id = _identity(info)
            self._tick, self._tick_freeing, self._take, self._number = [
                await self._redis.script_load(script) for script in _scripts(info["redis_version"])
            ]
            await self.check()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis cannot be used: {error}") from error

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)

    async def check(self) -> None:
        """Read Redis's clock and how full it is. Raises Unavailable, also where it is not the one of `connect`."""
        before = _boot_time()
        seconds, microseconds = await self._call(self._redis.time())
        # Redis read its clock at some moment since `before`: an answer that comes late changes nothing.
        time_there = seconds + microseconds / 1e6
        self._clock_ahead = min(max(self._clock_ahead, time_there - _boot_time()), time_there - before)
        info = await self._call(self._redis.info())
        if _identity(info) != self._id:
            raise Unavailable("Redis was started anew, or another one took its place.")
        self.full = 0 < info["maxmemory"] * FULL_AT <= info["used_memory"]

    def now(self) -> int:
        """Milliseconds since 1970: Redis's clock, carried forward by this machine's, which never goes back."""
        return int((_boot_time() + self._clock_ahead) * 1000)

    async def number(self, kind: str, name: str, uid: str, index: int = 0) -> int:
        """The number of a shard, given by the pool's directory at the first call."""
        return int(
            await self._call(self._redis.evalsha(self._number, 1, self.keys.directory, f"{kind}/{name}/{uid}/{index}"))
        )

    async def drop_number(self, kind: str, name: str, uid: str, index: int = 0) -> None:
        """Forget a shard's number, which is never given again. Raises Unavailable."""
        await self._call(self._redis.hdel(self.keys.directory, f"{kind}/{name}/{uid}/{index}"))

    async def take(self, shard: int) -> Taken:
        """Become the shard's owner and read its state. Raises Unavailable."""
        keys = self.keys
        pipe = self._redis.pipeline(transaction=False)
        self._raise_epoch(shard, pipe)
        pipe.hgetall(keys.meta(shard))
        pipe.hgetall(keys.cursor(shard))
        pipe.hgetall(keys.sequences(shard))
        pipe.zcard(keys.delayed(shard))
        pipe.zrange(keys.delayed(shard), 0, 0, withscores=True)
        epoch, meta, cursor, sequences, delayed, first = await self._call(pipe.execute())
        return Taken(
            epoch=epoch,
            meta={field.decode(): value.decode() for field, value in meta.items()},
            cursor={field.decode(): value for field, value in cursor.items()},
            sequences={int(producer): state.decode() for producer, state in sequences.items()},
            delayed=delayed,
            delayed_next=int(first[0][1]) if first else None,
        )

    def _raise_epoch(self, shard: int, redis: Redis) -> Any:
        clock = int(time.time()) - EPOCH_CLOCK_START
        return redis.evalsha(self._take, 1, self.keys.meta(shard), clock, self._id, TAIL_JUMP)

    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]:
        """Apply ticks of several shards in one round trip; each by itself is all or nothing."""
        pipe = self._redis.pipeline(transaction=False)
        for tick in ticks:
            keys, arguments = self._pack(tick)
            script = self._tick if tick.appends or tick.delay else self._tick_freeing
            pipe.evalsha(script, len(keys), *keys, *arguments)
        try:
            answers = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError):
            return [Outcome.LOST] * len(ticks)
        return [_outcome(answer) for answer in answers]

    def _pack(self, tick: Tick) -> tuple[list[str], list[bytes]]:
        keys = [
            self.keys.meta(tick.shard),
            self.keys.cursor(tick.shard),
            self.keys.delayed(tick.shard),
            self.keys.sequences(tick.shard),
        ]
        places: dict[tuple[int, int], int] = {}
        for segment in [(append.log, append.segment) for append in tick.appends] + tick.unlink:
            if segment not in places:
                keys.append(self.keys.segment(tick.shard, *segment))
                places[segment] = len(keys)
        plan = {
            "epoch": tick.epoch,
            "tick": tick.number,
            "tails": {str(log): tail for log, tail in tick.tails.items()},
            "appends": [
                {"segment": places[append.log, append.segment], "entry": f"{append.next_offset}-0"}
                for append in tick.appends
            ],
            "sources": [structs.asdict(source) for source in tick.sources],
            "set_meta": _pairs(tick.meta),
            "drop_meta": _dropped(tick.meta),
            "set_cursor": _pairs(tick.cursor),
            "drop_cursor": _dropped(tick.cursor),
            "delay": [part for pair in tick.delay for part in pair],
            "undelay": tick.undelay,
            "clear_delayed": tick.clear_delayed,
            "drop_sources": tick.drop_sources,
            "unlink": [places[segment] for segment in tick.unlink],
        }
        # Redis's cmsgpack knows strings only, no bytes.
        return keys, [msgpack.packb(plan, use_bin_type=False), *(append.data for append in tick.appends)]

    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]:
        """Up to `count` batches of a segment, each with the offset behind it, beginning with the one that covers
        `offset`. Raises Unavailable."""
        entries = await self._call(
            self._redis.xrange(self.keys.segment(shard, log, segment), min=f"{offset + 1}-0", count=count)
        )
        return [(int(entry.partition(b"-")[0]), fields[b"b"]) for entry, fields in entries]

    async def due(self, shard: int, until: int, count: int) -> list[bytes]:
        """Up to `count` delayed batches that are due by `until` (milliseconds), earliest first. Raises Unavailable."""
        return cast(
            list[bytes],
            await self._call(
                self._redis.zrange(
                    self.keys.delayed(shard),
                    0,
                    until,
                    byscore=True,
                    offset=0,
                    num=count,
                )
            ),
        )

    async def next_due(self, shard: int) -> int | None:
        """Millisecond at which the first delayed batch is due. Raises Unavailable."""
        first = await self._call(self._redis.zrange(self.keys.delayed(shard), 0, 0, withscores=True))
        return int(first[0][1]) if first else None

    async def erase(self, shard: int) -> None:
        """Delete everything of a shard that is no longer owned by anybody. Raises Unavailable."""
        keys = self.keys
        # A write that its last owner sent and that is still on its way must not bring some of it back.
        await self._call(self._raise_epoch(shard, self._redis))
        meta = await self._call(self._redis.hkeys(keys.meta(shard)))
        segments = [keys.of_shard(shard, field.decode()) for field in meta if field.startswith(b"seg:")]
        await self._call(
            self._redis.unlink(
                *segments, keys.cursor(shard), keys.delayed(shard), keys.sequences(shard), keys.meta(shard)
            )
        )

    async def document(self) -> bytes | None:
        """The topology document that was stored last. Raises Unavailable."""
        return cast(bytes | None, await self._call(self._redis.get(self.keys.topology)))

    async def store_document(self, document: bytes) -> None:
        """Raises Unavailable."""
        await self._call(self._redis.set(self.keys.topology, document))

    async def entries(self) -> dict[str, bytes]:
        """What exists in the pool, by kind/name. Raises Unavailable."""
        found = await self._call(self._redis.hgetall(self.keys.entries))
        return {name.decode(): value for name, value in found.items()}

    async def store_entry(self, name: str, value: bytes | None) -> None:
        """Set, or with None drop, the entry kind/name. Raises Unavailable."""
        if value is None:
            await self._call(self._redis.hdel(self.keys.entries, name))
        else:
            await self._call(self._redis.hset(self.keys.entries, name, value=value))

    async def _call(self, awaitable: Any) -> Any:
        try:
            return await awaitable
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {error}") from error


def _identity(info: dict[str, Any]) -> str:
    """Of one Redis between two starts, and of the history that it continues."""
    return f"{info['run_id']}:{info['master_replid']}"


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _scripts(version: str) -> list[str]:
    """The texts of tick, tick for writes that only free memory, take and number.

    From Redis 7 on a script says by flags whether it may run when memory is full; an older Redis has no such
    flags, and is used without a memory limit.
    """
    tick, take, number = (
        resources.files("quintet_broker.store.scripts").joinpath(f"{name}.lua").read_text()
        for name in ("tick_v1", "take_v1", "number_v1")
    )
    if int(version.split(".")[0]) < 7:
        return [tick, tick, take, number]
    freeing = "#!lua flags=allow-oom\n"
    return ["#!lua\n" + tick, freeing + tick, freeing + take, freeing + number]


def _outcome(answer: Any) -> Outcome:
    if answer == b"OK":
        return Outcome.APPLIED
    if isinstance(answer, bytes):
        return Outcome.FENCED
    if isinstance(answer, OutOfMemoryError):
        return Outcome.FULL
    logger.warning("Redis did not run a tick: %s", answer)
    return Outcome.LOST


def _pairs(fields: dict[str, Any]) -> list[Any]:
    return [part for pair in fields.items() if pair[1] is not None for part in pair]


def _dropped(fields: dict[str, Any]) -> list[str]:
    return [field for field, value in fields.items() if value is None]
