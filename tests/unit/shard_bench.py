"""Shards over a store in memory, turned by hand."""

import asyncio
import math
from collections.abc import Coroutine, Iterable
from typing import Any, cast

from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES
from quintet_broker.engine.pool.mover import Movers
from quintet_broker.engine.records.record import Headers, Record
from quintet_broker.engine.records.selector import Allowance
from quintet_broker.engine.requests import Acknowledge, Append, Delivery, Receive, Request
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import BrokerError
from quintet_broker.store.redis import Store
from tests.unit.each import One, each
from tests.unit.fake_store import FakeStore, FaultyStore

HOUR = 3_600_000
POLICY = Policy("orders", retention=HOUR, in_flight=100)


class Bench:
    """Shards of one store, whose loop is turned until nothing is left to do."""

    def __init__(self) -> None:
        self.waiting_bytes = 0
        self.owner = "broker-0"
        self.generation = 0
        self.remembers_more = True
        self.most_kept = READ_AHEAD_BYTES
        self.allowance = Allowance(math.inf)
        self.inner = FakeStore()
        self.store = FaultyStore(self.inner)
        self.shards: dict[int, Shard] = {}
        self.movers: set[asyncio.Task[None]] = set()

    def wake(self, shard: Shard) -> None:
        """`turn` turns every shard."""

    def open(self, number: int, policy: Policy = POLICY) -> Shard:
        shard = self.shards[number] = Shard(number, policy, cast(Store, self.store), self)
        return shard

    async def turn(self) -> None:
        busy = True
        while busy:
            busy = False
            for shard in self.shards.values():
                busy |= await self.turn_one(shard)
            await asyncio.sleep(0)

    async def turn_one(self, shard: Shard) -> bool:
        if not shard.taken:
            await shard.take()
        if tick := shard.collect(self.store.now()):
            [outcome] = await self.store.write([tick])
            shard.complete(outcome)
            return True
        if shard.wants_fetch(self.store.now()):
            await shard.fetch(self.store.now())
            return True
        return False

    async def ask(self, shard: Shard, request: Request[Any]) -> Any:
        shard.ask(request)
        await self.turn()
        answer = request.future.result()
        return each(answer) if isinstance(request, Receive) else answer

    async def send(self, shard: Shard, *values: bytes, headers: Headers = ()) -> None:
        records = [Record(value, self.store.now(), None, headers) for value in values]
        await self.ask(shard, Append(self.store.now(), records, [None] * len(records)))

    async def receive(self, shard: Shard, limit: int = 10, visibility: int = 1000) -> list[One]:
        now = self.store.now()
        received: list[One] = await self.ask(shard, Receive(now, limit, visibility, now))
        return received

    async def acknowledge(self, shard: Shard, *some: One) -> list[BrokerError | None]:
        pairs = [delivery.receipt for delivery in some]
        results: list[BrokerError | None] = await self.ask(shard, Acknowledge(self.store.now(), pairs))
        return results

    def target(self, number: int) -> "Direct | None":
        return Direct(self.shards[number]) if number in self.shards else None

    def start(self, mover: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(mover)
        self.movers.add(task)
        task.add_done_callback(self.movers.discard)
        return task

    def start_move(self, source: Shard) -> asyncio.Future[Any]:
        """Start what moves a shard's leaving records; done once they are where they go."""
        Movers(self.target, self.store.now, self.start).move(source)
        return asyncio.gather(*self.movers)

    async def end_moves(self) -> None:
        movers = list(self.movers)
        for moving in movers:
            moving.cancel()
        await asyncio.gather(*movers, return_exceptions=True)

    async def move(self, source: Shard) -> None:
        moving = self.start_move(source)
        while not moving.done():
            await self.turn()
        await moving


class Direct:
    """The way to a shard that is owned here."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def append(self, append: Append) -> None:
        self._shard.ask(append)
        await append.future


def values(delivered: Iterable[Delivery | One]) -> list[bytes]:
    records = [record for one in delivered for record in ([one.record] if isinstance(one, One) else one.records)]
    return [record.value for record in records]
