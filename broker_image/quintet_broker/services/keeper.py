"""Keeper: changes what exists in the pool, on the one broker that owns the pool itself.

What it writes is fenced by the epoch under which it took the pool. A verb's changes are stored by one write, then known
here, then told to the other brokers.
"""

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from quintet_api.queue import Deduplication, MessageCounts, QueueSpec
from quintet_api.topology import Entry, EntryStatus, PodStatus, StorageStatus, TopologyDocument, TopologyStatus
from quintet_broker.engine.engine import Engine
from quintet_broker.engine.pool.spread import Grown
from quintet_broker.engine.requests import Counts, sum_of
from quintet_broker.errors import (
    BrokerError,
    DataConflict,
    DeadLetterQueueNotFound,
    InvalidArgument,
    NameTaken,
    NotOwner,
    QueueDeclared,
    QueueExists,
    QueueNotFound,
    RevisionConflict,
    Unavailable,
    Unsupported,
)
from quintet_broker.services.catalogue import Catalogue, Known, known_of
from quintet_broker.services.extras import Extras
from quintet_broker.services.extras import changed as changed_extras
from quintet_broker.services.spec import Patch, dump, parse, patched

logger = logging.getLogger(__name__)

KEPT_AFTER_DEPARTURE = 10 * 60
"""Seconds for which the data of an entry that left the document is kept, whatever its policy."""
TIDY_EVERY = 1.0
LOOK_EVERY = 0.05
"""Seconds."""
TOLD_WITHIN = 1.0
"""Seconds for which a verb waits until other brokers know what it changed."""

OrderingOf = Callable[[str], str | None]

_RUNTIME_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Change(Struct, array_like=True):
    """What the keeper tells other brokers: these entries are stored at this version."""

    version: int
    entries: dict[str, bytes | None]
    """By name; None: it is gone."""


class Held(Struct, array_like=True):
    """What a broker tells the keeper."""

    version: int
    """Of what it knows to exist."""
    counts: dict[int, Counts]
    """By shard, of those that it owns."""


class Keeper:
    """Verbs run one at a time. All raise NotOwner while this broker does not own the pool, and Unavailable."""

    def __init__(self, engine: Engine, catalogue: Catalogue, pool: str) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._pool = pool
        self._epoch: int | None = None
        """None while this broker does not own the pool."""
        self._changing = asyncio.Lock()
        self._pending: dict[str, Known | None] = {}
        """Changes that the verb under way has not stored yet."""
        self._in_doubt: set[str] = set()
        """Names under which the store may keep what was never confirmed."""
        self._losses = 0
        """Of the store, after which what is known was stored anew."""
        self._revision = (0, 0)
        self._applied_at = 0
        """Version with which the document was applied."""
        self._entries: list[EntryStatus] = []
        self._judged = self._revision, self._entries
        """Of the document that was read last, which may not be stored yet."""

    # Queues made at run time

    async def create_queue(self, name: str, patch: Patch, extras: Patch) -> int:
        """Make a queue unless it is there; one that is there must be as the patches would have it, but for its tags.

        Returns the version with which it is there. Raises QueueExists, Unsupported, InvalidArgument,
        DeadLetterQueueNotFound.
        """
        if not _RUNTIME_NAME.fullmatch(name):
            raise InvalidArgument("A queue's name has 1 to 80 letters, digits, hyphens and underscores.")
        return await self._change(self._create_queue(name, patch, extras))

    async def _create_queue(self, name: str, patch: Patch, extras: Patch) -> None:
        wanted = changed_extras(Extras(), extras)
        if queue := self._catalogue.get(name):
            kept = changed_extras(queue.extras, extras | {"tags": {}})
            if parse(patched(queue.spec, patch)) != queue.spec or kept != queue.extras:
                raise QueueExists(f"The queue {name} exists with other attributes.")
            return
        spec = parse(patched(self.defaults, patch))
        self._check(name, spec, self._ordering_of)
        departed = self._known(name)
        if departed and departed.departed_at and parse(departed.spec).deletion_policy == "Retain":
            raise QueueExists(
                f"Messages are kept of an earlier queue {name}, whose deletionPolicy was Retain: declare it again"
                " to have them, with deletionPolicy Delete to drop them."
            )
        await self._forget(departed)
        made = await self._new(name, str(uuid.uuid4()), "Runtime", spec)
        self._pending[name] = structs.replace(made, extras=wanted)

    async def update_queue(self, name: str, patch: Patch, extras: Patch, held: dict[str, Any] | None) -> int:
        """Change a run-time queue's spec and extras; where `held` is given, only if its extras are still those.

        Raises QueueNotFound, QueueDeclared, Unsupported, InvalidArgument, DeadLetterQueueNotFound.
        """
        return await self._change(self._update_queue(name, patch, extras, held))

    async def _update_queue(self, name: str, patch: Patch, extras: Patch, held: dict[str, Any] | None) -> None:
        known = self._of_runtime(name)
        if held is not None and msgspec.convert(held, Extras) != known.extras:
            raise Unavailable(f"The queue {name} was changed by somebody else at the same time: try again.")
        before = parse(known.spec)
        spec = parse(patched(before, patch))
        if spec.ordering != before.ordering:
            raise InvalidArgument("A queue's ordering cannot change.")
        if spec.shards < len(known.shards):
            raise InvalidArgument(f"shards: there are {len(known.shards)}, and they can only become more.")
        self._check(name, spec, self._ordering_of)
        wanted = changed_extras(known.extras, extras)
        if spec != before or wanted != known.extras:
            self._pending[name] = structs.replace(await self._changed(known, spec), extras=wanted)

    async def delete_queue(self, name: str) -> int:
        """Delete a run-time queue and its messages. Raises QueueNotFound, QueueDeclared."""
        return await self._change(self._delete_queue(name))

    async def _delete_queue(self, name: str) -> None:
        await self._forget(self._of_runtime(name))

    def _of_runtime(self, name: str) -> Known:
        known = self._known(name)
        if known is None or known.departed_at is not None:
            raise QueueNotFound(f"The queue {name} does not exist.")
        if known.origin == "Declared":
            raise QueueDeclared(f"The queue {name} is declared by a manifest: change or delete it there.")
        return known

    @property
    def defaults(self) -> QueueSpec:
        """Of a queue that is made at run time."""
        return QueueSpec(broker_pool=self._pool)

    def _ordering_of(self, name: str) -> str | None:
        """Of a queue that is there."""
        queue = self._catalogue.get(name)
        return queue.spec.ordering if queue else None

    # Documents

    async def apply(self, document: TopologyDocument) -> int:
        """Make the declared queues what the document says; a bad entry spoils only itself.

        Raises RevisionConflict for a revision older than the one applied.
        """
        stored = document.model_dump_json(by_alias=True).encode()
        return await self._change(self._apply(document), stored)

    async def _apply(self, document: TopologyDocument) -> None:
        if document.revision < self._revision:
            raise RevisionConflict(f"Revision {document.revision} is older than {self._revision}.")
        declared = {entry.name: self._ordering(entry) for entry in document.entries if entry.kind == "Queue"}
        for queue in self._catalogue.queues():
            if queue.origin == "Declared" and queue.name not in declared:
                known = self._catalogue.known[queue.name]
                self._pending[queue.name] = structs.replace(known, departed_at=self._seconds())

        def ordering_of(name: str) -> str | None:
            queue = self._catalogue.get(name)
            return queue.spec.ordering if queue and queue.origin == "Runtime" else declared.get(name)

        self._judged = document.revision, [await self._try_entry(entry, ordering_of) for entry in document.entries]

    def _ordering(self, entry: Entry) -> str:
        known = self._known(entry.name)
        spec = entry.spec if entry.spec is not None else known.spec if known else {}
        return str(spec.get("ordering", "Standard"))

    async def _try_entry(self, entry: Entry, ordering_of: OrderingOf) -> EntryStatus:
        state: Literal["Applied", "Refused"] = "Applied"
        reason, message = "", ""
        try:
            await self._apply_entry(entry, ordering_of)
        except (Unavailable, NotOwner):
            raise
        except BrokerError as error:
            state, reason, message = "Refused", type(error).__name__, error.message
        return EntryStatus(kind=entry.kind, name=entry.name, uid=entry.uid, state=state, reason=reason, message=message)

    async def _apply_entry(self, entry: Entry, ordering_of: OrderingOf) -> None:
        if entry.kind != "Queue":
            raise Unsupported(f"The kind {entry.kind} is not supported yet.")
        known = self._known(entry.name)
        spec = parse(entry.spec if entry.spec is not None else _held(known, entry))
        if known and known.origin == "Runtime" and known.departed_at is None:
            raise NameTaken(f"A queue {entry.name} was created at run time; delete it, or choose another name.")
        self._check(entry.name, spec, ordering_of)
        if known and known.origin == "Declared":
            wanted = await self._succeed(known, entry, spec)
        else:
            await self._forget(known)
            wanted = None
        if wanted is None:
            wanted = await self._new(entry.name, entry.uid, "Declared", spec)
        elif dump(spec) != wanted.spec:
            wanted = await self._changed(wanted, spec)
        if wanted != known:
            self._pending[entry.name] = wanted

    async def _succeed(self, known: Known, entry: Entry, spec: QueueSpec) -> Known | None:
        """What the entry takes over of the one before it under its name; None begins anew."""
        before = parse(known.spec)
        if known.uid != entry.uid and before.deletion_policy == "Delete":
            await self._forget(known)
            return None
        if spec.ordering != before.ordering:
            raise DataConflict(
                f"Messages were kept of an earlier queue {entry.name} with ordering {before.ordering}; "
                f"this one has ordering {spec.ordering}."
            )
        if spec.shards < len(known.shards):
            raise DataConflict(
                f"The queue {entry.name} has {len(known.shards)} shards, which hold its messages; "
                f"it cannot have {spec.shards}."
            )
        return structs.replace(known, uid=entry.uid, departed_at=None)

    def _check(self, name: str, spec: QueueSpec, ordering_of: OrderingOf) -> None:
        """`ordering_of` tells the ordering of each queue that there is."""
        if spec.broker_pool != self._pool:
            raise InvalidArgument(f"brokerPool: this is the pool {self._pool}, not {spec.broker_pool}.")
        if spec.limits.overflow == "DeadLetter" and spec.dead_letter is None:
            raise InvalidArgument("limits.overflow: must not be DeadLetter without deadLetter.")
        if spec.dead_letter and spec.dead_letter.queue == name:
            raise InvalidArgument("A queue cannot be its own dead-letter queue.")
        if spec.deduplication != Deduplication() and spec.ordering != "Fifo":
            raise InvalidArgument("deduplication: is for queues whose ordering is Fifo.")
        if spec.shards > 1 and spec.ordering == "Fifo" and spec.deduplication.scope != "Group":
            raise InvalidArgument("shards: more than one of a Fifo queue needs deduplication.scope Group.")
        if spec.shards > 1 and spec.consumers != "Shared":
            raise InvalidArgument("shards: more than one need consumers to be Shared.")
        if spec.dead_letter is None:
            return
        ordering = ordering_of(spec.dead_letter.queue)
        if ordering is None:
            raise DeadLetterQueueNotFound(f"The dead-letter queue {spec.dead_letter.queue} does not exist.")
        if ordering != spec.ordering:
            raise InvalidArgument(
                f"deadLetter.queue: {spec.dead_letter.queue} is not {spec.ordering}, as this queue is."
            )

    async def status(self) -> TopologyStatus:
        """What was applied, entry by entry, and what each live broker knows of it."""
        self._check_keeping()
        told = await self._engine.call_all("held", b"", TOLD_WITHIN)
        helds = {name: msgspec.msgpack.decode(answer, type=Held) for name, answer in told.items()}
        helds[self._engine.me.name] = held(self._catalogue)
        counts = {shard: found for one in helds.values() for shard, found in one.counts.items()}
        store = self._engine.store
        return TopologyStatus(
            revision=self._revision,
            pods=[PodStatus(name=name, revision=self._of_pod(helds.get(name))) for name in self._engine.owners.members],
            entries=[self._counted(entry, counts) for entry in self._entries],
            storage=StorageStatus(version=store.redis_version, warnings=store.warnings),
        )

    def _of_pod(self, told: Held | None) -> tuple[int, int]:
        return self._revision if told and told.version >= self._applied_at else (0, 0)

    def _counted(self, entry: EntryStatus, counts: dict[int, Counts]) -> EntryStatus:
        """With what its queue holds, once all its shards have owners."""
        queue = self._catalogue.get(entry.name)
        if entry.state == "Refused" or queue is None or queue.uid != entry.uid:
            return entry
        shards = [counts.get(route.number) for route in queue.spread.routes]
        if None in shards:
            return entry
        return entry.model_copy(update={"messages": MessageCounts(**structs.asdict(sum_of(filter(None, shards))))})

    # Changes

    async def _change(self, work: Coroutine[Any, Any, None], document: bytes | None = None) -> int:
        """Run a verb and store what it changed; the version with which that is known."""
        with contextlib.closing(work):
            async with self._changing:
                try:
                    self._check_keeping()
                    await self._settle()
                    await work
                    if self._pending or document:
                        await self._store(document)
                finally:
                    self._pending = {}
                if document:
                    self._applied()
                return self._catalogue.version

    def _applied(self) -> None:
        """What was judged last is stored."""
        self._revision, self._entries = self._judged
        self._applied_at = self._catalogue.version

    def _check_keeping(self) -> None:
        if self._epoch is None:
            raise NotOwner

    def _known(self, name: str) -> Known | None:
        return self._pending[name] if name in self._pending else self._catalogue.known.get(name)

    async def _new(self, name: str, uid: str, origin: Literal["Declared", "Runtime"], spec: QueueSpec) -> Known:
        shards = await self._numbers(name, uid, range(spec.shards))
        now = self._seconds()
        return Known(name, uid, origin, dump(spec), shards, now, now)

    async def _changed(self, known: Known, spec: QueueSpec) -> Known:
        """With another spec, and new shards if that asks for more."""
        count, now = len(known.shards), self._engine.store.now()
        if spec.shards > count:
            more = await self._numbers(known.name, known.uid, range(count, spec.shards))
            grown = Grown(known.grown.count if known.grown else count, now)
            known = structs.replace(known, shards=known.shards + more, grown=grown)
        return structs.replace(known, spec=dump(spec), modified_at=now // 1000)

    async def _numbers(self, name: str, uid: str, indexes: range) -> tuple[int, ...]:
        """Of shards; the same at each call."""
        return tuple([await self._engine.store.number("Queue", name, uid, index) for index in indexes])

    async def _forget(self, known: Known | None) -> None:
        """Close a queue, delete its data, then what is known of it; a crash in between repeats it."""
        if known is None:
            return
        if known.departed_at != 0:
            self._pending[known.name] = structs.replace(known, departed_at=0)
            await self._store()
        for index, shard in enumerate(known.shards):
            await self._engine.store.erase(shard)
            # Made again with the same uid, it must be another shard: those it sent to count what came from this one.
            await self._engine.store.drop_number("Queue", known.name, known.uid, index)
        self._pending[known.name] = None

    async def _store(self, document: bytes | None = None) -> None:
        """Store what is pending, know it, and tell it; until the store answers, it may be stored or not."""
        assert self._epoch is not None
        changes, self._pending = self._pending, {}
        entries = {name: msgspec.json.encode(known) if known else None for name, known in changes.items()}
        self._in_doubt |= changes.keys()
        stored = {f"Queue/{name}": value for name, value in entries.items()}
        try:
            version = await self._engine.store.change_pool(self._epoch, stored, document, self._catalogue.version)
        except NotOwner:
            self._epoch = None
            raise
        self._in_doubt -= changes.keys()
        self._catalogue.learn(changes, version)
        await self._engine.call_all("learn", msgspec.msgpack.encode(Change(version, entries)), TOLD_WITHIN)

    def _seconds(self) -> int:
        return self._engine.store.now() // 1000

    # Over time

    async def run(self) -> None:
        """Take the pool when it is this broker's to keep, and let go of what departed long ago. Until cancelled."""
        while True:
            try:
                async with self._changing:
                    await self._keep()
            except (Unavailable, NotOwner) as error:
                logger.info("the pool waits: %s", error)
                self._pending = {}
            await asyncio.sleep(TIDY_EVERY if self._epoch is not None else LOOK_EVERY)

    async def _keep(self) -> None:
        if self._engine.keeper != self._engine.me:
            self._epoch = None
        elif self._epoch is None:
            if self._engine.connected:
                await self._take()
        else:
            await self._settle()
            await self._reap()

    async def _take(self) -> None:
        """Become the keeper: know what is stored, and what became of the document."""
        epoch = await self._engine.store.take_pool(self._engine.me.name, self._engine.owners.generation)
        pool = await self._catalogue.load()
        self._epoch, self._in_doubt, self._revision = epoch, set(), (0, 0)
        try:
            await self._reap()
            if pool.document:
                await self._apply(TopologyDocument.model_validate_json(pool.document))
            if self._pending:
                await self._store()
            if pool.document:
                self._applied()
        except BaseException:
            self._epoch = None
            raise

    async def _settle(self) -> None:
        """A change that was not confirmed does not hold, now or after a restart; one that was holds, even if the store
        lost it. But a queue that grew stays so: a broker that read it may have used the new shards."""
        if self._losses != self._engine.store.losses:
            self._losses = self._engine.store.losses
            self._in_doubt |= self._catalogue.known.keys()
        if self._in_doubt:
            stored = known_of(await self._engine.store.pool())
            self._pending = {
                name: _settled(self._catalogue.known.get(name), stored.get(name)) for name in self._in_doubt
            }
            await self._store()

    async def _reap(self) -> None:
        for known in list(self._catalogue.known.values()):
            departed = known.departed_at
            if departed is None or self._seconds() < departed + KEPT_AFTER_DEPARTURE:
                continue
            if departed == 0 or parse(known.spec).deletion_policy == "Delete":
                await self._forget(known)
        if self._pending:
            await self._store()


def held(catalogue: Catalogue) -> Held:
    """What a broker tells of itself."""
    found = {shard: counts for queue in catalogue.queues() for shard, counts in queue.held.items()}
    return Held(catalogue.version, found)


def _settled(known: Known | None, stored: Known | None) -> Known | None:
    """What holds of what was confirmed last and what is stored."""
    if known is None or stored is None:
        return known
    count = len(known.shards)
    has_grown = len(stored.shards) > count and stored.shards[:count] == known.shards
    return stored if has_grown else known


def _held(known: Known | None, entry: Entry) -> dict[str, Any]:
    """The spec of what is there. Raises InvalidArgument."""
    if known is None or known.uid != entry.uid:
        raise InvalidArgument("spec: is needed for an object that is not there yet.")
    return known.spec
