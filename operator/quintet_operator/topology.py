"""One document a pool, of all its queues; and what the brokers say of it."""

from collections.abc import Iterator
from functools import cached_property

from quintet_api import topology
from quintet_api.broker_pool import BrokerPool
from quintet_api.topology import Entry, EntryStatus, Revision, TopologyDocument, TopologyStatus
from quintet_operator import resources
from quintet_operator.broker_client import BrokerClient, BrokerError, RevisionConflict
from quintet_operator.builders.metadata import Manifest, child_name
from quintet_operator.dispatch import topology_of
from quintet_operator.index import Index, Key, leaves
from quintet_operator.keyring import Keyring
from quintet_operator.lease import Lease
from quintet_operator.work_queue import TryAgain, WorkQueue

POLL = 10.0
"""Seconds, at most, until the brokers are asked again how they are."""
POLL_SOON = 0.25
"""Seconds, while what was applied begins; twice as long each time that it still does."""
NO_BROKER = "no broker is ready"


class Answer:
    """What a pool's brokers said last."""

    def __init__(
        self,
        revision: Revision | None = None,
        sent: tuple[Entry, ...] = (),
        status: TopologyStatus | None = None,
        error: str = "",
    ) -> None:
        self.revision = revision
        """Of the document that they should hold; None: this leader has made none."""
        self.sent = sent
        """What that document has."""
        self.status = status
        self.error = error
        """Why they said nothing."""

    @cached_property
    def specs(self) -> dict[str, Manifest | None]:
        """By uid."""
        return {entry.uid: entry.spec for entry in self.sent}

    @cached_property
    def entries(self) -> dict[str, EntryStatus]:
        """By uid, where they hold the document."""
        held = self.status is not None and self.status.revision == self.revision
        return {entry.uid: entry for entry in self.status.entries} if held and self.status else {}

    @property
    def told(self) -> tuple[TopologyStatus | None, Revision | None, str]:
        """All that it says of the pool."""
        return self.status, self.revision, self.error

    def entry(self, uid: str, spec: Manifest) -> EntryStatus | None:
        """What they made of an object, if they were told this very spec of it, and somebody has its shard."""
        found = self.entries.get(uid) if self.specs.get(uid) == spec else None
        return None if found is None or _unserved(found) else found

    def differences(self, before: "Answer") -> Iterator[str]:
        """Names of the queues of which the one says other things than the other."""
        for uid in self.entries.keys() | before.entries.keys() | self.specs.keys() | before.specs.keys():
            now, then = self.entries.get(uid), before.entries.get(uid)
            if now != then or self.specs.get(uid) != before.specs.get(uid):
                yield from {entry.name for entry in (now, then) if entry}


class Topologies:
    """Of all pools."""

    def __init__(
        self, index: Index, keyring: Keyring, brokers: BrokerClient, lease: Lease, queue: WorkQueue[Key]
    ) -> None:
        self._index = index
        self._keyring = keyring
        self._brokers = brokers
        self._lease = lease
        self._queue = queue
        self._answers: dict[Key, Answer] = {}
        self._failed: set[Key] = set()
        """Pools that gave no answer when they were asked last."""
        self._pauses: dict[Key, float] = {}
        """Seconds until those are asked again of which something begins."""

    def asked(self, pool: Key) -> bool:
        """Whether its brokers were asked in this term, or could not be. Until then nothing can be said of it, and
        what was said by the leader before stays."""
        return pool in self._answers

    def answer(self, pool: Key) -> Answer:
        return self._answers.get(pool) or Answer()

    async def reconcile(self, place: Key) -> None:
        """Ask the pool's brokers how they are, and tell them what is to be where they hold something else.

        Raises TryAgain, LeaseLost, ApiError.
        """
        place = place._replace(kind="BrokerPool")
        manifest = self._index.get(place)
        if manifest is None or leaves(manifest):
            self._answers.pop(place, None)
            self._pauses.pop(place, None)
            return
        try:
            pool = resources.read(BrokerPool, manifest)
        except resources.Unreadable:
            return
        credentials = self._keyring.of(pool)
        if credentials is None:
            # The pool's own reconcile makes them, and their event leads here again.
            self._tell(place, self.answer(place))
            return
        if not self._ready(pool):
            self._tell(place, error=NO_BROKER)
            return
        try:
            status = await self._brokers.get(pool, credentials.admin_token)
            revision, sent = self.answer(place).revision, self.answer(place).sent
            entries = tuple(self._entries(place))
            if _needs(status, revision, sent, entries):
                status, revision = await self._put(pool, credentials.admin_token, status, revision, entries)
                sent = entries
                self._pauses.pop(place, None)
        except BrokerError as error:
            # Once may be a connection that ended with the broker before; it is asked again at once.
            if place in self._failed:
                self._tell(place, error=str(error))
            self._failed.add(place)
            raise TryAgain(str(error)) from error
        self._failed.discard(place)
        self._tell(place, Answer(revision, sent, status))
        self._queue.add_after(topology_of(place), self._pause(place, _changes(status, self._ready(pool))))

    def _pause(self, place: Key, changes: bool) -> float:
        """Seconds until it is worth to ask again."""
        if not changes:
            self._pauses.pop(place, None)
            return POLL
        self._pauses[place] = min(2 * self._pauses.get(place, POLL_SOON / 2), POLL)
        return self._pauses[place]

    def _ready(self, pool: BrokerPool) -> int:
        """How many brokers are ready. Where none is, it is not worth to ask."""
        name = child_name(pool.kind, pool.metadata.name)
        workload = self._index.get(Key("StatefulSet", pool.metadata.namespace, name)) or {}
        return int((workload.get("status") or {}).get("readyReplicas") or 0)

    def _entries(self, pool: Key) -> Iterator[Entry]:
        """Of all queues that name the pool and are to stay, by name."""
        sent = self.answer(pool).specs
        for place in self._index.queues(pool):
            manifest = self._index.get(place)
            if manifest is None or leaves(manifest):
                continue
            uid = manifest["metadata"]["uid"]
            made = topology.entry(manifest, uid)
            if not resources.disabled(manifest):
                yield made
            elif uid in sent:
                yield made.model_copy(update={"spec": sent[uid]})
            elif resources.was_applied(manifest):
                # By a leader before, and perhaps otherwise than its spec says now: the brokers know.
                yield made.model_copy(update={"spec": None})

    async def _put(
        self, pool: BrokerPool, token: str, held: TopologyStatus, revision: Revision | None, entries: tuple[Entry, ...]
    ) -> tuple[TopologyStatus, Revision]:
        """The answer, and the document's revision. Raises BrokerError, LeaseLost, ApiError."""
        if held.revision[0] > self._lease.term:
            await self._lease.raise_term(held.revision[0])
        made = _next(self._lease.term, held.revision, revision)
        document = TopologyDocument(revision=made, entries=list(entries))
        try:
            return await self._brokers.put(pool, token, document), made
        except RevisionConflict:
            # Somebody was faster. If the Lease is still ours, it was one of a Lease that is lost.
            held = await self._brokers.get(pool, token)
            await self._lease.raise_term(held.revision[0])
            made = _next(self._lease.term, held.revision, revision)
            return await self._brokers.put(pool, token, document.model_copy(update={"revision": made})), made

    def _tell(self, place: Key, answer: Answer | None = None, error: str = "") -> None:
        """Keep what was said, and look again at those of whom it says something new."""
        first, before = not self.asked(place), self.answer(place)
        answer = answer or Answer(before.revision, before.sent, None, error)
        self._answers[place] = answer
        if first or answer.error != before.error:
            affected = self._index.queues(place)
        else:
            affected = [Key("Queue", place.namespace, name) for name in answer.differences(before)]
        for queue in affected:
            self._queue.add(queue)
        if first or answer.told != before.told:
            self._queue.add(place)


def _unserved(entry: EntryStatus) -> bool:
    """Applied, and its shard nobody's yet: a message would not go through."""
    return entry.state == "Applied" and entry.messages is None


def _changes(status: TopologyStatus, ready: int) -> bool:
    """Whether it will be another one in a moment: shards are taken, or brokers join and read what they should hold."""
    behind = any(pod.revision < status.revision for pod in status.pods)
    return behind or len(status.pods) < ready or any(map(_unserved, status.entries))


def _needs(
    status: TopologyStatus, revision: Revision | None, sent: tuple[Entry, ...], entries: tuple[Entry, ...]
) -> bool:
    """Whether the brokers hold another document than this one, as far as this leader knows."""
    return revision is None or status.revision != revision or sent != entries


def _next(term: int, *known: Revision | None) -> Revision:
    """The first one of this term that is above those."""
    return term, max((revision[1] for revision in known if revision and revision[0] == term), default=0) + 1
