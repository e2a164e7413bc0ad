"""Catalogue: the queues of a pool as this broker knows them, kept in step with what is stored."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from quintet_broker.engine.engine import Engine
from quintet_broker.engine.pool.spread import Grown
from quintet_broker.errors import QueueNotFound, Unavailable
from quintet_broker.services.extras import Extras
from quintet_broker.services.queue import Queue
from quintet_broker.services.spec import parse, policy
from quintet_broker.store.tick import Pool

logger = logging.getLogger(__name__)


HEARD_WITHIN = 0.2
"""Seconds in which a change that was made elsewhere is heard of."""
LOOK_EVERY = 0.5
RESTORE_EVERY = 0.02
"""Seconds."""


class Known(Struct, frozen=True):
    """What is stored of a queue that exists, or existed lately."""

    name: str
    uid: str
    origin: Literal["Declared", "Runtime"]
    spec: dict[str, Any]
    """With manifest names."""
    shards: tuple[int, ...]
    """Their numbers, the oldest first."""
    created_at: int
    """Seconds since 1970."""
    modified_at: int
    """Seconds since 1970."""
    departed_at: int | None = None
    """Seconds since 1970, when it left the document; its queue is closed since. 0: its data is to be deleted."""
    grown: Grown | None = None
    """None: it has the shards that it was made with."""
    extras: Extras = Extras()


class Catalogue:
    """The queues, by name. A queue that is there is open."""

    def __init__(self, engine: Engine) -> None:
        self.restored = False
        """Whether it is known which queues there are; until then nothing can be said of any."""
        self.version = 0
        """Of what is known: one more with each change that the pool's keeper made."""
        self.known: dict[str, Known] = {}
        self._engine = engine
        self._queues: dict[str, Queue] = {}
        self._sources: dict[str, set[str]] = {}
        """By dead-letter queue, the names of the queues that have it."""
        engine.on_moved = self.look
        self._learnt = asyncio.Event()
        self._loading = asyncio.Lock()

    def queue(self, name: str) -> Queue:
        """Raises QueueNotFound, Unavailable."""
        try:
            return self._queues[name]
        except KeyError:
            self.check_restored()
            raise QueueNotFound(f"The queue {name} does not exist.") from None

    def queues(self, prefix: str = "") -> list[Queue]:
        """All queues whose name begins with `prefix`, sorted by name. Raises Unavailable."""
        self.check_restored()
        return [self._queues[name] for name in sorted(self._queues) if name.startswith(prefix)]

    def get(self, name: str) -> Queue | None:
        return self._queues.get(name)

    def check_restored(self) -> None:
        """Raises Unavailable."""
        if not self.restored:
            raise Unavailable("The broker has not read yet which queues there are: try again.")

    # In step with the store

    async def load(self) -> Pool:
        """Know what is stored, and nothing else. Raises Unavailable."""
        pool = await self._engine.store.pool()
        if pool.version >= self.version or not self.restored:
            stored = known_of(pool)
            self.learn({name: stored.get(name) for name in self.known.keys() | stored.keys()}, pool.version)
            self.restored = True
        return pool

    def learn(self, changes: Mapping[str, Known | None], version: int) -> None:
        """Some names have these entries now, or none. Nothing is awaited: queues are linked before they are served."""
        existence = set()
        for name, known in changes.items():
            if known is None:
                self.known.pop(name, None)
            else:
                self.known[name] = known
            if self._place(name, known):
                existence.add(name)
        self._link(changes, existence)
        self.version = version
        self._learnt.set()
        self._learnt = asyncio.Event()

    def learn_stored(self, changes: dict[str, bytes | None], version: int) -> None:
        """As `learn`, by names and what is stored under them."""
        self.learn({name: _decode(value) if value else None for name, value in changes.items()}, version)

    async def look(self) -> None:
        """Know what is stored by now, whoever changed it. Raises Unavailable."""
        version = await self._engine.store.pool_version()
        # All that ask at the same time need one load.
        async with self._loading:
            if version > self.version:
                await self.load()

    async def until(self, version: int) -> None:
        """Until that version is known. Raises Unavailable."""
        while self.version < version:
            learnt = self._learnt
            try:
                async with asyncio.timeout(HEARD_WITHIN):
                    await learnt.wait()
            except TimeoutError:
                await self.load()

    def _place(self, name: str, known: Known | None) -> bool:
        """Open, change or close a queue; whether it came or went."""
        queue = self._queues.get(name)
        there = known is not None and known.departed_at is None
        if queue:
            self._drop_source(queue)
        if queue and (known is None or not there or queue.spread.number != known.shards[0]):
            del self._queues[name]
            self._engine.close(queue.spread, QueueNotFound(f"The queue {name} was deleted."))
            queue = None
            if not there:
                return True
        if known is None or not there:
            return False
        is_new = queue is None
        if queue:
            queue.uid, queue.spec, queue.modified_at = known.uid, parse(known.spec), known.modified_at
        else:
            queue = self._open(known)
        queue.extras = known.extras
        if queue.spec.dead_letter:
            self._sources.setdefault(queue.spec.dead_letter.queue, set()).add(name)
        return is_new

    def _drop_source(self, queue: Queue) -> None:
        if queue.spec.dead_letter:
            sources = self._sources[queue.spec.dead_letter.queue]
            sources.discard(queue.name)
            if not sources:
                del self._sources[queue.spec.dead_letter.queue]

    def _open(self, known: Known) -> Queue:
        spec = parse(known.spec)
        queue = self._queues[known.name] = Queue(
            known.name,
            known.uid,
            spec,
            known.origin,
            known.created_at,
            known.modified_at,
            self._engine.open(known.shards, policy(known.name, spec, None), known.grown),
            self._engine.store.now,
        )
        return queue

    def _link(self, changed: Iterable[str], existence: set[str]) -> None:
        """Tell shards their queues' policies: of those that changed, and whose dead-letter queue came or went."""
        linked = set(changed).union(*(self._sources.get(name, ()) for name in existence))
        for name in linked:
            if queue := self._queues.get(name):
                dead_letter = queue.spec.dead_letter
                target = self._queues.get(dead_letter.queue) if dead_letter else None
                wanted = policy(name, queue.spec, target.spread.number if target else None)
                self._engine.change(queue.spread, self.known[name].shards, wanted, self.known[name].grown)

    async def run(self) -> None:
        """Load what is stored, then whatever changed and nobody told. Until cancelled."""
        while True:
            try:
                if self.restored:
                    await self.until(self._engine.version)
                elif self._engine.connected:
                    await self.load()
            except Unavailable as error:
                logger.info("what exists in the pool cannot be read yet: %s", error)
            await asyncio.sleep(LOOK_EVERY if self.restored else RESTORE_EVERY)


def known_of(pool: Pool) -> dict[str, Known]:
    """What is stored, by name."""
    return {known.name: known for known in map(_decode, pool.entries.values())}


def _decode(entry: bytes) -> Known:
    return msgspec.json.decode(entry, type=Known)
