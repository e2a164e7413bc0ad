"""What exists in the pool: declared by documents of the operator, or made at run time by clients."""

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs
from pydantic import ValidationError

from quintet_api.queue import MessageCounts, QueueSpec
from quintet_api.topology import Entry, EntryStatus, PodStatus, StorageStatus, TopologyDocument, TopologyStatus
from quintet_broker.engine.engine import Engine
from quintet_broker.errors import (
    BrokerError,
    DataConflict,
    DeadLetterQueueNotFound,
    InvalidArgument,
    NameTaken,
    QueueDeclared,
    QueueExists,
    QueueNotFound,
    RevisionConflict,
    Unavailable,
    Unsupported,
)
from quintet_broker.services.queue import Queue, policy

logger = logging.getLogger(__name__)

KEPT_AFTER_DEPARTURE = 10 * 60
"""Seconds for which the data of an entry that left the document is kept, whatever its policy."""
TIDY_EVERY = 1.0
"""Seconds."""
Change = Callable[[QueueSpec], QueueSpec]
"""From the spec that a queue has, or from `defaults`, to the one that it should have. May raise InvalidArgument."""

_RUNTIME_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Known(Struct, frozen=True):
    """What is stored of a queue that exists, or existed lately."""

    name: str
    uid: str
    origin: Literal["Declared", "Runtime"]
    spec: dict[str, Any]
    """With manifest names."""
    shard: int
    created_at: int
    """Seconds since 1970."""
    modified_at: int
    """Seconds since 1970."""
    departed_at: int | None = None
    """Seconds since 1970, when it left the document; its queue is closed since."""


class Topology:
    """The queues of a pool, by name. Verbs that change it run one at a time."""

    def __init__(self, engine: Engine, pod_name: str, pool: str) -> None:
        self.restored = False
        """Whether it is known which queues there are; until then nothing can be said of any."""
        self._engine = engine
        self._pod_name = pod_name
        self._pool = pool
        self._queues: dict[str, Queue] = {}
        self._known: dict[str, Known] = {}
        self._in_doubt: set[str] = set()
        """Names under which the store may keep what was never confirmed."""
        self._revision = (0, 0)
        self._entries: list[EntryStatus] = []
        self._changing = asyncio.Lock()

    # Queues

    def queue(self, name: str) -> Queue:
        """Raises QueueNotFound, Unavailable."""
        try:
            return self._queues[name]
        except KeyError:
            self._check_restored()
            raise QueueNotFound(f"The queue {name} does not exist.") from None

    def queues(self, prefix: str = "") -> list[Queue]:
        """All queues whose name begins with `prefix`, sorted by name. Raises Unavailable."""
        self._check_restored()
        return [self._queues[name] for name in sorted(self._queues) if name.startswith(prefix)]

    def dead_letter_queue(self, name: str) -> str | None:
        """Name of the queue's dead-letter queue, if both are there."""
        queue = self._queues.get(name)
        return queue.spec.dead_letter.queue if queue and queue.spec.dead_letter else None

    @property
    def defaults(self) -> QueueSpec:
        """Of a queue that is made at run time."""
        return QueueSpec(broker_pool=self._pool)

    async def create_queue(self, name: str, change: Change) -> Queue:
        """Return the queue, made now unless it is there; one that is there must be as `change` would have it.

        Raises QueueExists, Unsupported, InvalidArgument, DeadLetterQueueNotFound, Unavailable.
        """
        if not _RUNTIME_NAME.fullmatch(name):
            raise InvalidArgument("A queue's name has 1 to 80 letters, digits, hyphens and underscores.")
        async with self._changing:
            self._check_restored()
            if queue := self._queues.get(name):
                if change(queue.spec) != queue.spec:
                    raise QueueExists(f"The queue {name} exists with other attributes.")
                return queue
            spec = change(self.defaults)
            self._check(name, spec, set(self._queues))
            departed = self._known.get(name)
            if departed and departed.departed_at and _parse(departed.spec).deletion_policy == "Retain":
                raise QueueExists(
                    f"Messages are kept of an earlier queue {name}, whose deletionPolicy was Retain: declare it again"
                    " to have them, with deletionPolicy Delete to drop them."
                )
            await self._forget(departed)
            known = await self._new(name, str(uuid.uuid4()), "Runtime", spec)
            await self._keep(known)
            self._open(known)
            self._link()
            return self._queues[name]

    async def update_queue(self, name: str, change: Change) -> Queue:
        """Change a run-time queue's spec.

        Raises QueueNotFound, QueueDeclared, Unsupported, InvalidArgument, DeadLetterQueueNotFound, Unavailable.
        """
        async with self._changing:
            self._check_restored()
            queue = self._of_runtime(name)
            spec = change(queue.spec)
            if spec.ordering != queue.spec.ordering:
                raise InvalidArgument("A queue's ordering cannot change.")
            self._check(name, spec, set(self._queues))
            if spec != queue.spec:
                await self._change(self._known[name], spec)
                self._link()
            return queue

    async def delete_queue(self, name: str) -> None:
        """Delete a run-time queue and its messages. Raises QueueNotFound, QueueDeclared, Unavailable."""
        async with self._changing:
            self._check_restored()
            self._of_runtime(name)
            # Before it closes: where the store fails, the queue is there for another try.
            await self._keep(structs.replace(self._known[name], departed_at=0))
            self._close(name)
            self._link()
            await self._forget(self._known[name])

    def _of_runtime(self, name: str) -> Queue:
        queue = self.queue(name)
        if queue.origin == "Declared":
            raise QueueDeclared(f"The queue {name} is declared by a manifest: change or delete it there.")
        return queue

    # Documents

    async def apply(self, document: TopologyDocument) -> None:
        """Make the declared queues what the document says; a bad entry spoils only itself.

        Raises RevisionConflict for a revision older than the one applied, Unavailable.
        """
        async with self._changing:
            self._check_restored()
            if document.revision < self._revision:
                raise RevisionConflict(f"Revision {document.revision} is older than {self._revision}.")
            await self._engine.store.store_document(document.model_dump_json(by_alias=True).encode())
            await self._apply(document)

    def status(self) -> TopologyStatus:
        """What was applied, entry by entry. Raises Unavailable."""
        self._check_restored()
        pods = [PodStatus(name=self._pod_name, revision=self._revision)]
        store = self._engine.store
        return TopologyStatus(
            revision=self._revision,
            pods=pods,
            entries=list(map(self._counted, self._entries)),
            storage=StorageStatus(version=store.version, warnings=store.warnings),
        )

    def _counted(self, entry: EntryStatus) -> EntryStatus:
        """With what its queue holds, once its shard is ours."""
        queue = self._queues.get(entry.name)
        if entry.state == "Refused" or queue is None or queue.uid != entry.uid or not queue.shard.taken:
            return entry
        return entry.model_copy(update={"messages": MessageCounts(**structs.asdict(queue.held))})

    async def _apply(self, document: TopologyDocument) -> None:
        declared = {entry.name for entry in document.entries if entry.kind == "Queue"}
        for queue in list(self._queues.values()):
            if queue.origin == "Declared" and queue.name not in declared:
                departed = structs.replace(self._known[queue.name], departed_at=self._seconds())
                await self._keep(departed)
                self._close(queue.name)
        there = declared | set(self._queues)
        self._entries = [await self._try_entry(entry, there) for entry in document.entries]
        self._revision = document.revision
        self._link()

    async def _try_entry(self, entry: Entry, there: set[str]) -> EntryStatus:
        state: Literal["Applied", "Refused"] = "Applied"
        reason, message = "", ""
        try:
            await self._apply_entry(entry, there)
        except Unavailable:
            raise
        except BrokerError as error:
            state, reason, message = "Refused", type(error).__name__, error.message
        return EntryStatus(kind=entry.kind, name=entry.name, uid=entry.uid, state=state, reason=reason, message=message)

    async def _apply_entry(self, entry: Entry, there: set[str]) -> None:
        if entry.kind != "Queue":
            raise Unsupported(f"The kind {entry.kind} is not supported yet.")
        known = self._known.get(entry.name)
        spec = _parse(entry.spec if entry.spec is not None else _held(known, entry))
        if known and known.origin == "Runtime" and known.departed_at is None:
            raise NameTaken(f"A queue {entry.name} was created at run time; delete it, or choose another name.")
        self._check(entry.name, spec, there)
        if known and known.origin == "Declared":
            known = await self._succeed(known, entry, spec)
        else:
            await self._forget(known)
            known = None
        if known is None:
            known = await self._new(entry.name, entry.uid, "Declared", spec)
        if entry.name in self._queues:
            if spec != self._queues[entry.name].spec:
                await self._change(known, spec)
        else:
            await self._keep(structs.replace(known, spec=_dump(spec), departed_at=None))
            self._open(self._known[entry.name])

    async def _succeed(self, known: Known, entry: Entry, spec: QueueSpec) -> Known | None:
        """What the entry takes over of the one before it under its name; None begins anew."""
        before = _parse(known.spec)
        if known.uid != entry.uid and before.deletion_policy == "Delete":
            if entry.name in self._queues:
                self._close(entry.name)
            await self._forget(known)
            return None
        if spec.ordering != before.ordering:
            raise DataConflict(
                f"Messages were kept of an earlier queue {entry.name} with ordering {before.ordering}; "
                f"this one has ordering {spec.ordering}."
            )
        if known.uid != entry.uid:
            known = structs.replace(known, uid=entry.uid)
            await self._keep(known)
            if entry.name in self._queues:
                self._queues[entry.name].uid = entry.uid
        return known

    def _check_restored(self) -> None:
        if not self.restored:
            raise Unavailable("The broker has not read yet which queues there are: try again.")

    def _check(self, name: str, spec: QueueSpec, there: set[str]) -> None:
        if spec.broker_pool != self._pool:
            raise InvalidArgument(f"brokerPool: this is the pool {self._pool}, not {spec.broker_pool}.")
        if spec.ordering == "Fifo":
            raise Unsupported("ordering: Fifo is not supported yet.")
        if spec.limits.overflow != "Reject":
            raise Unsupported(f"limits.overflow: {spec.limits.overflow} is not supported yet.")
        if spec.dead_letter and spec.dead_letter.queue == name:
            raise InvalidArgument("A queue cannot be its own dead-letter queue.")
        if spec.dead_letter and spec.dead_letter.queue not in there:
            raise DeadLetterQueueNotFound(f"The dead-letter queue {spec.dead_letter.queue} does not exist.")

    # Known queues

    async def _new(self, name: str, uid: str, origin: Literal["Declared", "Runtime"], spec: QueueSpec) -> Known:
        shard = await self._engine.store.number("Queue", name, uid)
        now = self._seconds()
        return Known(name, uid, origin, _dump(spec), shard, now, now)

    async def _keep(self, known: Known) -> None:
        await self._write(known.name, known)
        self._known[known.name] = known

    async def _write(self, name: str, known: Known | None) -> None:
        """Store what there is under a name; until that is answered, it may be stored or not."""
        self._in_doubt.add(name)
        await self._engine.store.store_entry(f"Queue/{name}", msgspec.json.encode(known) if known else None)
        self._in_doubt.discard(name)

    async def _change(self, known: Known, spec: QueueSpec) -> None:
        changed = structs.replace(known, spec=_dump(spec), modified_at=self._seconds())
        await self._keep(changed)
        queue = self._queues[known.name]
        queue.spec = spec
        queue.modified_at = changed.modified_at

    async def _forget(self, known: Known | None) -> None:
        """Delete a closed queue's data, then what is known of it; a crash in between repeats it."""
        if known is None:
            return
        if known.departed_at != 0:
            await self._keep(structs.replace(known, departed_at=0))
        await self._engine.store.erase(known.shard)
        # Made again with the same uid, it must be another shard: those it sent to count what came from this one.
        await self._engine.store.drop_number("Queue", known.name, known.uid)
        await self._write(known.name, None)
        del self._known[known.name]

    def _open(self, known: Known) -> None:
        spec = _parse(known.spec)
        shard = self._engine.open(known.shard, policy(known.name, spec, None))
        self._queues[known.name] = Queue(
            known.name,
            known.uid,
            spec,
            known.origin,
            known.created_at,
            known.modified_at,
            shard,
            self._engine.store.now,
        )

    def _close(self, name: str) -> None:
        queue = self._queues.pop(name)
        self._engine.close(queue.shard, QueueNotFound(f"The queue {name} was deleted."))

    def _link(self) -> None:
        """Tell each shard its queue's policy, now that queues came, changed or went."""
        for queue in self._queues.values():
            dead_letter = queue.spec.dead_letter
            target = self._queues.get(dead_letter.queue) if dead_letter else None
            wanted = policy(queue.name, queue.spec, target.shard.number if target else None)
            if wanted != queue.shard.policy:
                queue.shard.set_policy(wanted)

    def _seconds(self) -> int:
        return self._engine.store.now() // 1000

    # Over time

    async def run(self) -> None:
        """Restore what is stored, then keep it true and let go of what departed long ago. Until cancelled."""
        await self._until_done(self._restore)
        while True:
            await asyncio.sleep(TIDY_EVERY)
            await self._until_done(self._settle)
            await self._until_done(self._reap)

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                async with self._changing:
                    await step()
                return
            except Unavailable as error:
                logger.info("the topology waits for the store: %s", error)
                await asyncio.sleep(0.05)

    async def _restore(self) -> None:
        if not self._engine.connected:
            raise Unavailable("It is not connected yet.")
        for entry in (await self._engine.store.entries()).values():
            known = msgspec.json.decode(entry, type=Known)
            self._known[known.name] = known
            if known.departed_at is None and known.name not in self._queues:
                self._open(known)
        # Before anything is awaited: from then on the queues are served.
        self._link()
        await self._reap()
        document = await self._engine.store.document()
        if document:
            await self._apply(TopologyDocument.model_validate_json(document))
        self.restored = True

    async def _settle(self) -> None:
        """A change that was not confirmed does not hold, now or after a restart."""
        for name in list(self._in_doubt):
            await self._write(name, self._known.get(name))

    async def _reap(self) -> None:
        for known in list(self._known.values()):
            departed = known.departed_at
            if departed is None or self._seconds() < departed + KEPT_AFTER_DEPARTURE:
                continue
            if departed == 0 or _parse(known.spec).deletion_policy == "Delete":
                await self._forget(known)


def _held(known: Known | None, entry: Entry) -> dict[str, Any]:
    """The spec of what is there. Raises InvalidArgument."""
    if known is None or known.uid != entry.uid:
        raise InvalidArgument("spec: is needed for an object that is not there yet.")
    return known.spec


def _parse(spec: dict[str, Any]) -> QueueSpec:
    """Raises InvalidArgument."""
    try:
        return QueueSpec.model_validate(spec)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(str(part) for part in found["loc"])
        raise InvalidArgument(f"spec.{field}: {found['msg']}") from error


def _dump(spec: QueueSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)
