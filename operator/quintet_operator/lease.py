"""Leadership: the Lease in the operator's namespace, by the algorithm of client-go's leader election.

No clock is compared with that of another machine: a Lease has run out when it did not change for as long as it
says, seen from here.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from quintet_api import names
from quintet_operator.builders.metadata import Manifest
from quintet_operator.cluster import KINDS, Api, ApiError

SHARE = 2 / 3
"""Of a Lease's time, for which its holder believes in it: what it began then is over when another takes it."""
TRIES = 7.5
"""A Lease's time, in periods from one try to the next: 2 seconds of 15."""
RELEASE_WITHIN = 2.0
"""Seconds."""

logger = logging.getLogger(__name__)


def now() -> float:
    """Seconds. Goes on while the machine sleeps, so that nobody wakes as a leader."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseLost(Exception):
    """The Lease could not be renewed in time, or is somebody else's."""


class Store(Protocol):
    """Where the Lease is. Each verb raises ApiError."""

    async def read(self) -> Manifest | None: ...

    async def create(self, lease: Manifest) -> Manifest: ...

    async def replace(self, lease: Manifest) -> Manifest:
        """Refused with 409 where it changed since it was read."""
        ...


class Lease:
    """One try after another to hold the Lease, and then to keep it."""

    def __init__(
        self, store: Store, name: str, namespace: str, pod: str, seconds: int, clock: Callable[[], float] = now
    ):
        self.identity = f"{pod}_{secrets.token_hex(4)}"
        self.term = 0
        """How often the Lease changed hands: the first half of the revisions that its holder makes."""
        self._store = store
        self._name = name
        self._namespace = namespace
        self._seconds = seconds
        self._clock = clock
        self._seen: Manifest = {}
        """What the Lease said last, and when it was first seen to say so."""
        self._seen_at = 0.0
        self._held_until = float("-inf")
        self._changing = asyncio.Lock()

    @property
    def held(self) -> bool:
        return self._clock() < self._held_until

    def check(self) -> None:
        """Raises LeaseLost unless it is held now."""
        if not self.held:
            raise LeaseLost("The Lease was not renewed in time.")

    async def acquire(self) -> None:
        """Until it is held."""
        while not await self.try_once():  # noqa: ASYNC110
            await asyncio.sleep(self._seconds / TRIES)
        logger.info("%s leads, for the %d. time that the Lease changed hands", self.identity, self.term)

    async def keep(self) -> None:
        """Renew it for ever. Raises LeaseLost."""
        while True:
            await asyncio.sleep(self._seconds / TRIES)
            self.check()
            try:
                async with asyncio.timeout(self._held_until - self._clock()):
                    await self.try_once()
            except TimeoutError:
                pass
            if self._seen.get("holderIdentity") != self.identity:
                raise LeaseLost(f"The Lease is held by {self._seen.get('holderIdentity') or 'nobody'}.")

    async def try_once(self) -> bool:
        """Take or renew it, and return whether that was confirmed."""
        async with self._changing:
            try:
                return await self._try()
            except ApiError as error:
                level = logging.DEBUG if error.status == HTTPStatus.CONFLICT else logging.WARNING
                logger.log(level, "The Lease %s: %s", self._name, error.message)
                return False

    async def raise_term(self, above: int) -> None:
        """Make `term` larger than that. Raises LeaseLost, ApiError.

        Brokers that know a larger one had it from a Lease that was lost; so that must not happen a second time.
        """
        async with self._changing:
            self.check()
            started, lease = self._clock(), await self._store.read()
            if lease is None or lease["spec"].get("holderIdentity") != self.identity:
                raise LeaseLost("The Lease is no longer ours.")
            transitions = max(above, self.term) + 1
            await self._replace(lease, lease["spec"] | {"leaseTransitions": transitions}, started)

    async def release(self) -> None:
        """Give it back, if it is held, so that another may take it at once."""
        if not self.held:
            return
        self._held_until = float("-inf")
        try:
            async with asyncio.timeout(RELEASE_WITHIN):
                lease = await self._store.read()
                if lease and lease["spec"].get("holderIdentity") == self.identity:
                    given = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _time()}
                    await self._store.replace(lease | {"spec": lease["spec"] | given})
        except (ApiError, TimeoutError) as error:
            logger.warning("The Lease could not be given back: %s", error)

    async def _try(self) -> bool:
        started, lease = self._clock(), await self._store.read()
        if lease is None:
            made = await self._store.create(self._manifest())
            self._hold(made, started)
            return True
        self._look(lease["spec"])
        if not self._may_take():
            return False
        await self._replace(lease, self._taken(lease["spec"]), started)
        return True

    def _look(self, spec: Manifest) -> None:
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock()

    def _may_take(self) -> bool:
        if self._seen.get("holderIdentity") in (None, "", self.identity):
            return True
        return self._clock() >= self._seen_at + (self._seen.get("leaseDurationSeconds") or self._seconds)

    def _taken(self, spec: Manifest) -> Manifest:
        renewed = spec | {"leaseDurationSeconds": self._seconds, "renewTime": _time()}
        if spec.get("holderIdentity") == self.identity:
            return renewed
        transitions = (spec.get("leaseTransitions") or 0) + 1
        return renewed | {
            "holderIdentity": self.identity,
            "acquireTime": _time(),
            "leaseTransitions": transitions,
        }

    async def _replace(self, lease: Manifest, spec: Manifest, started: float) -> None:
        metadata = lease["metadata"]
        # The label by which the operator watches its own Lease.
        labels = (metadata.get("labels") or {}) | _LABELS
        made = await self._store.replace(lease | {"metadata": metadata | {"labels": labels}, "spec": spec})
        self._hold(made, started)

    def _hold(self, lease: Manifest, started: float) -> None:
        """`started`: when the request was, before which nobody else began to count."""
        self._look(lease["spec"])
        self.term = lease["spec"].get("leaseTransitions") or 0
        self._held_until = started + self._seconds * SHARE

    def _manifest(self) -> Manifest:
        return {
            "apiVersion": KINDS["Lease"].api_version,
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace, "labels": _LABELS},
            "spec": self._taken({"leaseTransitions": -1}),
        }


_LABELS = {
    "app.kubernetes.io/name": names.APPLICATION,
    "app.kubernetes.io/component": "operator",
    names.MANAGED_BY_LABEL: names.MANAGER,
    "app.kubernetes.io/part-of": names.APPLICATION,
}


def _time() -> str:
    """As metav1.MicroTime; for people alone."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class LeaseStore:
    """The Lease on the API server. Its writes need no Lease, and so no fence."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self._path = KINDS["Lease"].path(namespace, name)
        self._all = KINDS["Lease"].path(namespace)

    async def read(self) -> Manifest | None:
        return await self._api.find(self._path)

    async def create(self, lease: Manifest) -> Manifest:
        return await self._api.request("POST", self._all, body=lease)

    async def replace(self, lease: Manifest) -> Manifest:
        return await self._api.request("PUT", self._path, body=lease)
