"""Topology: what exists in the pool, at whichever of its brokers one asks: changed by its keeper, known by all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from quintet_api.queue import QueueSpec
from quintet_api.topology import TopologyDocument, TopologyStatus
from quintet_broker.engine.engine import Engine
from quintet_broker.errors import NotOwner, Unavailable
from quintet_broker.services.attempts import Attempts
from quintet_broker.services.catalogue import Catalogue
from quintet_broker.services.extras import Extras
from quintet_broker.services.keeper import Change, Held, Keeper, held
from quintet_broker.services.permissions import Rule
from quintet_broker.services.queue import Queue
from quintet_broker.services.spec import Patch

PATIENCE = 10.0
"""Seconds for which a verb is tried again while nobody keeps the pool."""
TRY_AGAIN_AFTER = 0.05
"""Seconds, unless it is known before who keeps it."""

Verb = Callable[..., Awaitable[Any]]


class Topology:
    """The queues of a pool, by name."""

    def __init__(self, engine: Engine, pool: str) -> None:
        self._engine = engine
        self._catalogue = Catalogue(engine)
        self.attempts = Attempts(engine)
        self._keeper = keeper = Keeper(engine, self._catalogue, pool)
        self._verbs: dict[str, Verb] = {
            "create_queue": keeper.create_queue,
            "update_queue": keeper.update_queue,
            "delete_queue": keeper.delete_queue,
            "apply": self._apply,
            "status": self._status,
        }
        for name, verb in self._verbs.items():
            engine.on_call(name, _called(verb))
        engine.on_call("learn", self._learn)
        engine.on_call("held", self._held)

    @property
    def restored(self) -> bool:
        """Whether it is known which queues there are; until then nothing can be said of any."""
        return self._catalogue.restored

    @property
    def storage_bytes(self) -> tuple[int, int]:
        """What the pool's Redis has in memory, and how much it may have; 0 where that has no limit."""
        return self._engine.store.used_bytes, self._engine.store.limit_bytes

    @property
    def defaults(self) -> QueueSpec:
        """Of a queue that is made at run time."""
        return self._keeper.defaults

    def known(self, name: str) -> Queue | None:
        """The queue, if this broker has heard of it already."""
        return self._catalogue.get(name)

    async def queue(self, name: str) -> Queue:
        """Raises QueueNotFound, Unavailable."""
        self._catalogue.check_restored()
        if self._catalogue.get(name) is None:
            # Made through another broker, of which nobody told this one yet.
            await self._catalogue.look()
        return self._catalogue.queue(name)

    def queues(self, prefix: str = "") -> list[Queue]:
        """All queues whose name begins with `prefix`, sorted by name. Raises Unavailable."""
        return self._catalogue.queues(prefix)

    def dead_letter_queue(self, name: str) -> str | None:
        """Name of the queue's dead-letter queue, if both are there."""
        queue = self._catalogue.get(name)
        return queue.spec.dead_letter.queue if queue and queue.spec.dead_letter else None

    def rules(self, name: str) -> Sequence[Rule]:
        """Who else may use a queue, and who may not."""
        queue = self._catalogue.get(name)
        return queue.extras.rules if queue else ()

    async def create_queue(self, name: str, patch: Patch, extras: Patch | None = None) -> Queue:
        """Return the queue, made now unless it is there; one that is there must be as the patches would have it, but
        for its tags.

        Raises QueueExists, Unsupported, InvalidArgument, DeadLetterQueueNotFound, Unavailable.
        """
        await self._change("create_queue", name, patch, extras or {})
        return self._catalogue.queue(name)

    async def update_queue(
        self, name: str, patch: Patch, extras: Patch | None = None, *, unless_changed: Extras | None = None
    ) -> Queue:
        """Change a run-time queue's spec and extras; with `unless_changed` only if its extras are still those.

        Raises QueueNotFound, QueueDeclared, Unsupported, InvalidArgument, DeadLetterQueueNotFound, Unavailable.
        """
        held = None if unless_changed is None else msgspec.to_builtins(unless_changed)
        await self._change("update_queue", name, patch, extras or {}, held)
        return self._catalogue.queue(name)

    async def delete_queue(self, name: str) -> None:
        """Delete a run-time queue and its messages. Raises QueueNotFound, QueueDeclared, Unavailable."""
        await self._change("delete_queue", name)

    async def apply(self, document: TopologyDocument) -> None:
        """Make the declared queues what the document says; a bad entry spoils only itself.

        Raises RevisionConflict for a revision older than the one applied, Unavailable.
        """
        await self._change("apply", document.model_dump_json(by_alias=True))

    async def status(self) -> TopologyStatus:
        """What was applied, entry by entry. Raises Unavailable."""
        self._catalogue.check_restored()
        return TopologyStatus.model_validate_json(await self._at_keeper("status"))

    async def run(self) -> None:
        """Keep in step with what is stored, until cancelled."""
        await asyncio.gather(self._catalogue.run(), self._keeper.run())

    # At the keeper

    async def _change(self, verb: str, *arguments: Any) -> None:
        """Have the keeper run a verb; what it changed is known here afterwards."""
        self._catalogue.check_restored()
        await self._catalogue.until(await self._at_keeper(verb, *arguments))

    async def _at_keeper(self, verb: str, *arguments: Any) -> Any:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return await self._once_at_keeper(verb, *arguments)
            except NotOwner as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise Unavailable from error
            await self._engine.owners_changed(TRY_AGAIN_AFTER)

    async def _once_at_keeper(self, verb: str, *arguments: Any) -> Any:
        keeper = self._engine.keeper
        if keeper is None:
            raise NotOwner
        if keeper == self._engine.me:
            return await self._verbs[verb](*arguments)
        answer = await self._engine.call(keeper, verb, msgspec.msgpack.encode(arguments))
        return msgspec.msgpack.decode(answer)

    async def _apply(self, document: str) -> int:
        return await self._keeper.apply(TopologyDocument.model_validate_json(document))

    async def _status(self) -> str:
        return (await self._keeper.status()).model_dump_json(by_alias=True)

    # What other brokers call

    async def _learn(self, argument: bytes) -> None:
        change = msgspec.msgpack.decode(argument, type=Change)
        if self.restored and change.version == self._catalogue.version + 1:
            self._catalogue.learn_stored(change.entries, change.version)
        elif change.version > self._catalogue.version:
            await self._catalogue.load()

    async def _held(self, _: bytes) -> Held:
        return held(self._catalogue)


def _called(verb: Verb) -> Callable[[bytes], Awaitable[Any]]:
    async def called(argument: bytes) -> Any:
        return await verb(*msgspec.msgpack.decode(argument))

    return called
