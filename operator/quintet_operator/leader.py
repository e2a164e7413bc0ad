"""What the holder of the Lease does, from its first list to its end."""

import asyncio
import logging
import time
from collections.abc import Callable

from quintet_operator import informer
from quintet_operator.apply import Applier
from quintet_operator.broker_client import BrokerClient
from quintet_operator.cluster import Api, Cluster
from quintet_operator.context import Context
from quintet_operator.dispatch import Dispatch
from quintet_operator.handlers import WATCHED, selector
from quintet_operator.index import Index, Key
from quintet_operator.keyring import Keyring
from quintet_operator.lease import Lease, LeaseLost
from quintet_operator.metrics import Metrics
from quintet_operator.reconcile import Reconciler
from quintet_operator.resync import Resync
from quintet_operator.rollouts import Rollouts
from quintet_operator.settings import Settings
from quintet_operator.topology import Topologies
from quintet_operator.work_queue import WorkQueue

WORKERS = 8
COMPLETE_WITHIN = 120.0
"""Seconds, for the watches to tell everything that is there, once all of it can be listed."""
LEASE_SEEN_WITHIN = 30.0
"""Seconds, within which a watch that works tells of the operator's own Lease, which is renewed every few."""

logger = logging.getLogger(__name__)


class Leader:
    """One term; it ends with the process."""

    def __init__(self, settings: Settings, api: Api, lease: Lease, brokers: BrokerClient, metrics: Metrics) -> None:
        self._lease = lease
        self._metrics = metrics
        self._watching_since: float | None = None
        self.queue: WorkQueue[Key] = WorkQueue()
        index, cluster = Index(), Cluster(api, lease.check)
        place = Key("Lease", settings.namespace, settings.lease_name)
        self._dispatch = Dispatch(index, self.queue, place)
        selectors = {kind: selector(kind) for kind in WATCHED}
        self._resync = Resync(index, cluster, self._dispatch, self.queue, selectors)
        applier = Applier(cluster, index, self._dispatch.told)
        keyring = Keyring(index, applier)
        topologies = Topologies(index, keyring, brokers, lease, self.queue)
        self._reconcile = Reconciler(
            Context(
                index,
                cluster,
                applier,
                keyring,
                topologies,
                Rollouts(),
                self.queue,
                settings.defaults,
                self._dispatch.told,
            )
        )

    async def run(self, on_started: Callable[[], None]) -> None:
        """Until cancelled. Raises LeaseLost and others, in an ExceptionGroup."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lease.keep())
            await self._resync.until_listable()
            self._watching_since = time.monotonic()
            group.create_task(informer.watch(self._dispatch, on_started))
            await self._resync.until_complete()
            logger.info("The watches are complete: %d keys wait", len(self.queue))
            group.create_task(self._resync.run())
            group.create_task(self.queue.run(self._work, WORKERS, fatal=LeaseLost))

    async def _work(self, place: Key) -> None:
        with self._metrics.reconcile(place.kind):
            await self._reconcile(place)

    @property
    def unready(self) -> str:
        """What it waits for before it does anything."""
        waits = self._resync.waits_for
        return f"not all that is there is known yet: {waits}" if waits else ""

    @property
    def unhealthy(self) -> str:
        """Why it should be started anew: it may not see what happens."""
        if self._watching_since is None:
            return ""
        if self._resync.waits_for:
            late = time.monotonic() - self._watching_since > COMPLETE_WITHIN
            return self.unready if late else ""
        age = self._dispatch.lease_age
        if age is None or age > LEASE_SEEN_WITHIN:
            return "the watches are silent: they do not tell of the operator's own Lease"
        return ""
