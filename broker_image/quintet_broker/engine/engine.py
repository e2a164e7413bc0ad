"""Engine: the shards of one broker, over one store."""

import asyncio

from quintet_broker.engine.mover import move
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.shard import Shard
from quintet_broker.engine.ticker import Ticker
from quintet_broker.errors import BrokerError
from quintet_broker.store.redis import Store

CANCEL_EVERY = 0.1
"""Seconds."""


class Engine:
    """Opens and closes shards, and runs what moves between them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._ticker = Ticker(store, self._move)
        self._shards: dict[int, Shard] = {}
        self._moving: dict[Shard, asyncio.Task[None]] = {}
        self._running: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._ticker.connected

    def start(self) -> asyncio.Task[None]:
        """What runs until `stop`; if it ends before, the engine serves nobody any more."""
        self._running = asyncio.create_task(self._ticker.run())
        return self._running

    def drain(self) -> None:
        """Before `stop`: receives answer at once with what is there, so that all requests end soon."""
        self._ticker.drain()

    async def stop(self) -> None:
        while self._running and not self._running.done():
            # More than once: redis-py may take a cancellation that comes while it connects for its own.
            self._running.cancel()
            await asyncio.wait([self._running], timeout=CANCEL_EVERY)
        await self.store.close()

    def open(self, number: int, policy: Policy) -> Shard:
        """The shard of that number, owned by this broker from now on."""
        shard = self._shards[number] = Shard(number, policy, self.store, self._ticker)
        self._ticker.add(shard)
        return shard

    def close(self, shard: Shard, error: BrokerError) -> None:
        """Stop serving a shard: what is asked of it is refused with `error`."""
        del self._shards[shard.number]
        self._ticker.remove(shard)
        if moving := self._moving.get(shard):
            moving.cancel()
        shard.close(error)

    def _move(self, source: Shard) -> None:
        if source not in self._moving:
            task = self._ticker.start(move(source, self._shards.get, self.store.now))
            self._moving[source] = task
            task.add_done_callback(lambda _: self._moving.pop(source))
