"""Queues are made and deleted through whichever broker while processes are killed: what was confirmed holds."""

import asyncio
import contextlib
import random

from quintet.client import Client
from quintet.errors import QueueNotFound
from tests.integration.faults.system import Killer, seed
from tests.processes import Pool

KILLS = 5
KEPT = 5
"""Queues at a time."""


class Changes:
    """Makes queues and deletes them, in turn, and uses each through another broker."""

    def __init__(self, clients: list[Client], seed: int) -> None:
        self.made = 0
        self.there: list[str] = []
        self._clients = clients
        self._random = random.Random(seed)

    async def run(self) -> None:
        while True:
            name = f"made-{self.made}"
            await self._any.create_queue(name)
            await self._any.queue(name).send("first")
            self.made += 1
            self.there.append(name)
            if len(self.there) > KEPT:
                await self._delete(self.there.pop(0))

    async def _delete(self, name: str) -> None:
        # The first attempt may have deleted it before its answer was lost.
        with contextlib.suppress(QueueNotFound):
            await self._any.delete_queue(name)

    @property
    def _any(self) -> Client:
        return self._random.choice(self._clients)


async def test_queues_that_were_made_are_there_and_hold_what_they_took(pool: Pool, clients: list[Client]) -> None:
    chosen = seed()
    killer, changes = Killer(chosen, pool.brokers, pool.redis), Changes(clients, chosen)
    changing = asyncio.create_task(changes.run())
    while killer.kills < KILLS:
        made = changes.made
        await asyncio.to_thread(killer.strike)
        async with asyncio.timeout(60):
            while changes.made < made + 2 and not changing.done():  # noqa: ASYNC110 - the prober's way to wait
                await asyncio.sleep(0.01)
    changing.cancel()
    await asyncio.wait([changing])
    assert changing.cancelled(), changing.exception()

    for client in clients:
        names = {queue.name for queue in await client.queues()}
        # One may have been under way.
        assert names - {f"made-{changes.made}"} >= set(changes.there)
        assert len(names) <= KEPT + 2
    for name in changes.there:
        [message] = await clients[0].queue(name).receive_batch(10, wait=20)
        assert message.text == "first"
