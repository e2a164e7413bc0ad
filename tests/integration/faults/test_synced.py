"""A node loses its power: of Redis's log there remains what was synced. SIGKILL alone would leave all of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import Struct

import quintet
from quintet.queue import Queue
from tests.integration.faults import disk
from tests.prober.ledger import Name
from tests.prober.ports import GatedPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker, RedisServer

LOAD = Load(producers=1, consumers=1, rate=200, visibility=1.0)
"""One producer: nothing is written while it looks at the log."""
SOME = 20
"""Messages."""
FINISHED_WITHIN = 8.0
"""Seconds, for which what is lost is waited for."""


class Note(Struct):
    """What there was of Redis's log when a message was confirmed."""

    name: Name
    body: bytes
    size: int
    unsynced: int
    """Pages."""


class NotingPort(GatedPort):
    """Looks at Redis's log after each send."""

    def __init__(self, queue: Queue, log: Path) -> None:
        super().__init__(queue)
        self.log = log
        self.notes: list[Note] = []

    async def send(self, body: str, key: str) -> None:
        await super().send(body, key)
        size = self.log.stat().st_size
        unsynced = disk.unsynced_pages(self.log)
        producer, of_key, number = map(int, body.split(" ")[2:5])
        self.notes.append(Note(Name(producer, of_key, number), body.encode(), size, unsynced))

    def synced(self) -> int:
        """The size of what is certainly on the disk: to the page, or to where it was found to be."""
        return max([disk.first_unsynced(self.log), *(note.size for note in self.notes if not note.unsynced)])

    def within(self, size: int) -> set[Name]:
        """About those that are in so much of the log: where Redis does not wait for the disk, it may write later."""
        return {note.name for note in self.notes if note.size <= size}

    def whole(self) -> set[Name]:
        """Those that are in the log with all that belongs to them, since another one follows."""
        log = self.log.read_bytes()
        found = [note.name for note in self.notes if note.body in log]
        return set(found[:-1])


@asynccontextmanager
async def running(directory: Path, durability: str) -> AsyncIterator[tuple[RedisServer, Prober, NotingPort]]:
    if not disk.can_tell(directory):
        pytest.skip("what is synced cannot be told here: it takes Linux 6.5 and a file system with a disk")
    redis = RedisServer(directory, durability)
    broker = Broker(directory, redis.url, durability=durability)
    redis.start()
    broker.start()
    try:
        async with quintet.connect(broker.http_url, timeout=60) as client:
            await client.create_queue("orders")
            port = NotingPort(client.queue("orders"), log_in(directory))
            async with Prober([port], LOAD) as prober:
                yield redis, prober, port
    finally:
        broker.kill()
        redis.kill()


def log_in(directory: Path) -> Path:
    """Since Redis 7 it has a directory of its own."""
    return next(path for name in ("appendonlydir/*.incr.aof", "appendonly.aof") for path in directory.glob(name))


def lose_power(redis: RedisServer, port: NotingPort) -> set[Name]:
    """Kill Redis, cut its log where it was synced last, start it again. Returns what is certainly left."""
    redis.kill()
    synced = port.synced()
    with port.log.open("rb+") as log:
        log.truncate(synced)
    left = port.whole()
    redis.start()
    return left


async def test_fsync_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, "Fsync") as (redis, prober, port):
        await prober.until(lambda: len(port.notes) >= SOME, within=60)
        unsynced = sum(note.unsynced for note in port.notes)
        lose_power(redis, port)
        port.gate.set()
        await prober.progress(SOME)
        verdict = await prober.finish(FINISHED_WITHIN)
    print(verdict)
    assert not unsynced, "confirmed before it was synced"
    assert verdict.faults() == {}


async def test_memory_loses_what_was_not_synced_yet(tmp_path: Path) -> None:
    async with running(tmp_path, "Memory") as (redis, prober, port):
        await prober.until(lambda: len(port.notes) - len(port.within(port.synced())) >= SOME, within=60)
        safe = lose_power(redis, port)
        at_risk = len(port.notes) - len(safe)
        port.gate.set()
        await prober.progress(SOME)
        verdict = await prober.finish(FINISHED_WITHIN)
    print(verdict)
    assert verdict.faults().keys() == {"lost"}
    lost = prober.ledger.unreceived
    assert lost.isdisjoint(safe)
    # One may have been confirmed and not heard of when Redis was killed.
    assert len(lost) <= at_risk + 1
