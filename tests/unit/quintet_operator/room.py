"""The operator's parts put together, without watches: a fake API server, a fake broker, and a clock."""

from typing import Any

from quintet_api.broker_pool import BrokerPool
from quintet_api.queue import MessageCounts
from quintet_api.topology import Entry, EntryStatus, PodStatus, Revision, TopologyDocument, TopologyStatus
from quintet_operator.apply import Applier
from quintet_operator.broker_client import BrokerClient, BrokerError, RevisionConflict
from quintet_operator.context import Context
from quintet_operator.dispatch import Dispatch
from quintet_operator.index import Index, Key
from quintet_operator.keyring import Keyring
from quintet_operator.lease import Lease
from quintet_operator.reconcile import Reconciler
from quintet_operator.rollouts import Rollouts
from quintet_operator.topology import Topologies
from quintet_operator.work_queue import Schedule, TryAgain, WorkQueue
from tests.unit.quintet_operator.fake_api import FakeApi
from tests.unit.quintet_operator.objects import DEFAULTS
from tests.unit.quintet_operator.test_lease import Replicas

Manifest = dict[str, Any]

POOL = Key("BrokerPool", "shop", "default")
CREDENTIALS = "default-broker-pool-credentials"


class FakeBroker(BrokerClient):
    """Holds a document, and applies all of it but what it was told to refuse."""

    def __init__(self) -> None:
        self.revision: Revision = (0, 0)
        self.entries: list[Entry] = []
        self.refuses: dict[str, str] = {}
        """By name: the reason."""
        self.error = ""
        self.puts: list[TopologyDocument] = []
        self.visible = 0
        self.asked = 0
        """How often."""
        self.unserved: set[str] = set()
        """Names of those whose shard nobody has."""
        self.live = 1
        """Brokers that know of each other."""

    async def get(self, pool: BrokerPool, token: str) -> TopologyStatus:
        self.asked += 1
        if self.error:
            raise BrokerError(self.error)
        return self._status()

    async def put(self, pool: BrokerPool, token: str, document: TopologyDocument) -> TopologyStatus:
        if self.error:
            raise BrokerError(self.error)
        if document.revision < self.revision:
            raise RevisionConflict("newer")
        self.puts.append(document)
        self.revision, self.entries = document.revision, document.entries
        return self._status()

    def _status(self) -> TopologyStatus:
        names = (f"default-broker-pool-{number}" for number in range(self.live))
        pods = [PodStatus(name=name, revision=self.revision) for name in names]
        return TopologyStatus(revision=self.revision, pods=pods, entries=[self._entry(one) for one in self.entries])

    def _entry(self, entry: Entry) -> EntryStatus:
        reason = self.refuses.get(entry.name, "")
        return EntryStatus(
            kind=entry.kind,
            name=entry.name,
            uid=entry.uid,
            state="Refused" if reason else "Applied",
            reason=reason,
            messages=None if reason or entry.name in self.unserved else MessageCounts(visible=self.visible),
        )


class Room:
    """What is written is seen at once; what others write, when `sees` says so."""

    def __init__(self, api: FakeApi | None = None, broker: FakeBroker | None = None) -> None:
        """With what another leader left, or with nothing."""
        self.now = 1000.0
        self.api = api or FakeApi()
        self.broker = broker or FakeBroker()
        self.index = Index()
        self.replicas = Replicas()
        self.lease: Lease = self.replicas.leases[0]
        self.queue: WorkQueue[Key] = WorkQueue(lambda: self.now)
        self.dispatch = Dispatch(self.index, self.queue, Key("Lease", "quintet-system", "quintet-operator"))
        cluster = self.api.cluster()
        applier = Applier(cluster, self.index, self.dispatch.told)
        keyring = Keyring(self.index, applier)
        topologies = Topologies(self.index, keyring, self.broker, self.lease, self.queue)
        for manifest in list(self.api.objects.values()):
            self.dispatch.told(manifest)
        self.reconcile = Reconciler(
            Context(
                index=self.index,
                cluster=cluster,
                applier=applier,
                keyring=keyring,
                topologies=topologies,
                rollouts=Rollouts(lambda: self.now),
                queue=self.queue,
                defaults=DEFAULTS,
                told=self.dispatch.told,
                clock=lambda: self.now,
            )
        )

    def user(self, kind: str, name: str, **spec: Any) -> Manifest:
        """A user applies one of our own objects, which keeps its uid."""
        held = self.api.get(kind, name) or {"metadata": {"namespace": "shop", "name": name}}
        full = ({"brokerPool": "default"} if kind == "Queue" else {}) | spec
        manifest = held | {"apiVersion": "quintet.dev/v1", "kind": kind, "spec": full}
        return self.sees(self.api.put(manifest))

    def sees(self, manifest: Manifest) -> Manifest:
        self.dispatch.told(manifest)
        return manifest

    def gone(self, kind: str, name: str) -> None:
        """Somebody deleted it, and it was seen."""
        self.dispatch.told(self.api.remove(kind, name), deleted=True)

    def serve(self, *names: str, pods: int = 1) -> None:
        """So many pods of StatefulSets are as they should be."""
        for name in names or ("default-broker-pool-redis", "default-broker-pool"):
            held = self.api.get("StatefulSet", name)
            assert held, name
            seen = held["metadata"]["generation"]
            status = {"readyReplicas": pods, "updatedReplicas": pods, "replicas": pods, "observedGeneration": seen}
            self.sees(self.api.put(held | {"status": status}))

    async def settle(self, seconds: float = 0.2) -> None:
        """Run what is due within that time, as the workers do, and what follows from it."""
        schedule: Schedule[Key] = self.queue._schedule
        self.now += seconds
        for _ in range(1000):
            place = schedule.take(self.now)
            if place is None:
                return
            failed = False
            try:
                await self.reconcile(place)
            except TryAgain:
                failed = True
            schedule.done(place, self.now, failed=failed)
        raise AssertionError("it does not come to rest")

    def uid(self, kind: str, name: str) -> str:
        held = self.api.get(kind, name)
        assert held
        return str(held["metadata"]["uid"])

    def condition(self, kind: str, name: str, type: str = "Ready") -> tuple[str, str]:  # noqa: A002
        held = self.api.get(kind, name)
        assert held
        [found] = [one for one in held["status"]["conditions"] if one["type"] == type]
        return found["status"], found["reason"]

    async def ready_pool(self) -> None:
        """A pool that serves."""
        await self.lease.try_once()
        self.user("BrokerPool", "default")
        await self.settle()
        self.serve()
        await self.settle()
