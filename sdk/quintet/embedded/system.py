"""What `quintet up` is to run: read from files and from `quintet apply`, and put to the broker."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from quintet.client import Client
from quintet.embedded import declared, objects
from quintet.embedded.broker import BrokerAdmin
from quintet.embedded.declared import display, displayed, identifier, place
from quintet.embedded.errors import Refused
from quintet.embedded.state import Identity, State, write_json
from quintet_api import topology
from quintet_api.validation import Manifest, Problem, load

SETTLE = 1.5
"""Seconds for which an object must be missing in the files until it is deleted: some editors empty a file first."""

Outcome = tuple[str, str]
"""`("queue/orders", "created")`: or configured, unchanged, deleted."""


class System:
    """The declared objects. Changes come one at a time, each whole or not at all."""

    def __init__(self, state: State, sources: Sequence[Path]) -> None:
        """Reads the manifests. Raises Refused."""
        self.on_change: Callable[[], None] = lambda: None
        self._state = state
        self._sources = sources
        self._changing = asyncio.Lock()
        self._missing: dict[str, float] = {}
        """When each object that runs was first found missing in the files; its deletion waits."""
        self.manifests: list[Manifest] = []
        self.manifests = self._read()
        _refuse(declared.problems(self.manifests))
        self.pool = declared.pool_of(self.manifests)

    async def start(self, admin: BrokerAdmin, client: Client, queue_urls: str) -> None:
        """Put what was read; a queue's QueueUrl is its name after `queue_urls`. Raises Refused, CannotRun."""
        self._admin, self._client, self._queue_urls = admin, client, queue_urls
        identities = self._state.identities(map(identifier, self.manifests))
        _refuse(await self._put(self.manifests, identities))
        self._keep(self.manifests, identities)

    async def reload(self) -> list[Outcome]:
        """Read the files again and tell what changed. Raises Refused, CannotRun; then all is as before.

        What is missing there for less than SETTLE seconds stays; `is_deletion_due` tells when to come again.
        """
        async with self._changing:
            missing, self._missing = self._missing, {}
            manifests = self._read()
            there, now = set(map(identifier, manifests)), time.monotonic()
            gone = {name: missing.get(name, now) for name in map(identifier, self.manifests) if name not in there}
            waiting = {name: since for name, since in gone.items() if now - since < SETTLE}
            kept = [manifest for manifest in self.manifests if identifier(manifest) in waiting]
            outcomes = await self._change(manifests + kept)
            self._missing = waiting
            return [(name, outcome) for name, outcome in outcomes if outcome != "unchanged"]

    def is_deletion_due(self) -> bool:
        """Whether something is missing in the files for long enough."""
        return any(time.monotonic() - since >= SETTLE for since in self._missing.values())

    async def apply(self, paths: Sequence[Path]) -> list[Outcome]:
        """Take over manifests and keep them in the state directory. Raises Refused, CannotRun."""
        async with self._changing:
            loaded = load(paths, old=self.manifests)
            _refuse(loaded.problems)
            new = {identifier(manifest): manifest for manifest in loaded.manifests}
            self._refuse_what_files_declare(new)
            others = [manifest for manifest in self.manifests if identifier(manifest) not in new]
            outcomes = dict(await self._change(others, loaded.manifests))
            return [(display(manifest), outcomes[display(manifest)]) for manifest in loaded.manifests]

    async def delete(self, paths: Sequence[Path], names: Sequence[str]) -> list[Outcome]:
        """Delete applied objects and run-time queues: what the files name, and `Queue/orders` by name.

        Raises Refused, CannotRun, QuintetError.
        """
        async with self._changing:
            loaded = load(paths)
            _refuse(loaded.problems)
            gone = list(dict.fromkeys([*names, *map(identifier, loaded.manifests)]))
            self._refuse_what_files_declare(gone)
            applied = {identifier(manifest) for manifest in self.manifests}
            there = applied | {f"Queue/{queue.name}" for queue in await self._client.queues()}
            _refuse(f"{displayed(name)}: {self._why_not_there(name)}" for name in gone if name not in there)
            await self._change([manifest for manifest in self.manifests if identifier(manifest) not in gone])
            for name in gone:
                if name not in applied:
                    await self._client.delete_queue(name.partition("/")[2])
            return [(displayed(name), "deleted") for name in gone]

    def _why_not_there(self, name: str) -> str:
        if name == f"BrokerPool/{self.pool.name}":
            return "is the default that quintet up runs with, and cannot be deleted"
        return "is not there"

    async def objects(self) -> list[objects.Object]:
        """All that exists, that made at run time included. Raises CannotRun, QuintetError."""
        applied = [identifier(manifest) for manifest in self.manifests if self._is_applied(manifest)]
        queues = await self._client.queues()
        live = len((await self._admin.get()).pods)
        replicas = {"replicas": self._admin.brokers, "readyReplicas": live}
        return objects.objects(self.pool, self.manifests, applied, self._identities, queues, self._queue_urls, replicas)

    def _read(self) -> list[Manifest]:
        """What the files declare, and what was applied that no file declares. Raises Refused."""
        files = load(self._sources, old=self.manifests)
        declared_there = {self._file(identifier(manifest)) for manifest in files.manifests}
        kept = sorted(set(self._state.manifests.glob("*.json")) - declared_there)
        applied = load(kept, old=self.manifests)
        _refuse([*files.problems, *applied.problems])
        return files.manifests + applied.manifests

    def _refuse_what_files_declare(self, names: Iterable[str]) -> None:
        files = {identifier(one): place(one) for one in self.manifests if not self._is_applied(one)}
        _refuse(f"{displayed(name)}: is declared in {files[name]}: change it there" for name in names if name in files)

    async def _change(self, others: list[Manifest], applied: Sequence[Manifest] = ()) -> list[Outcome]:
        """Make these the declared objects, and keep those that are applied now.

        Raises Refused, CannotRun; then all is as before.
        """
        manifests = [*others, *applied]
        _refuse(declared.problems(manifests, self.pool))
        identities = self._state.identities(map(identifier, manifests))
        if found := await self._put(manifests, identities):
            await self._put(self.manifests, self._identities)
            raise Refused(found)
        outcomes = declared.outcomes(self.manifests, manifests, self.pool)
        for manifest in applied:
            write_json(self._file(identifier(manifest)), manifest.body)
        # From now on they come from there, whatever becomes of the user's files.
        kept = load(self._file(identifier(manifest)) for manifest in applied).manifests
        self._keep(others + kept, identities)
        return outcomes

    async def _put(self, manifests: Sequence[Manifest], identities: Mapping[str, Identity]) -> list[Problem]:
        """What the broker refuses."""
        queues = [manifest for manifest in manifests if manifest.kind == "Queue"]
        entries = [topology.entry(one.body, identities[identifier(one)].uid) for one in queues]
        return declared.refusals(queues, await self._admin.put(entries))

    def _keep(self, manifests: list[Manifest], identities: dict[str, Identity]) -> None:
        """These are what runs now: their identities last, and what was applied and is no longer there does not."""
        self.manifests, self._identities = manifests, identities
        self._state.keep_identities(identities)
        lasting = {self._file(identifier(manifest)) for manifest in manifests if self._is_applied(manifest)}
        for file in set(self._state.manifests.glob("*.json")) - lasting:
            file.unlink()
        self.on_change()

    def _file(self, name: str) -> Path:
        """Of an applied object."""
        return self._state.manifests / f"{name.replace('/', '.')}.json"

    def _is_applied(self, manifest: Manifest) -> bool:
        return Path(manifest.file).parent == self._state.manifests


def _refuse(problems: Iterable[object]) -> None:
    if found := list(problems):
        raise Refused(found)
