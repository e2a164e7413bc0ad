"""The loop over shards, on a store that does not answer."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from quintet_broker.engine import ticker
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.record import Record
from quintet_broker.engine.requests import Append, Receive
from quintet_broker.engine.shard import Shard
from quintet_broker.engine.ticker import Ticker
from quintet_broker.errors import Unavailable
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome, Tick
from tests.unit.fake_store import FakeStore, FaultyStore

POLICY = Policy("orders", retention=3_600_000, in_flight=100)


class SilentStore(FaultyStore):
    """Applies a write, and answers when `answers` is set."""

    def __init__(self) -> None:
        super().__init__(FakeStore())
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()

    async def connect(self) -> None: ...
    async def check(self) -> None: ...

    async def write(self, ticks: Sequence[Tick]) -> list[Outcome]:
        self.asked.set()
        outcomes = await super().write(ticks)
        await self.answers.wait()
        return outcomes


async def test_a_request_ends_though_the_store_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its write is under way or it waits for one; what was written stays."""
    monkeypatch.setattr(ticker, "CHECK_EVERY", 0.01)
    store = SilentStore()
    loop = Ticker(cast(Store, store), lambda shard: None)
    shard = Shard(1, POLICY, cast(Store, store), loop)
    loop.add(shard)
    running = asyncio.create_task(loop.run())
    written, waiting = (Append(store.now(), [Record(value, store.now())], [None]) for value in (b"first", b"second"))
    async with asyncio.timeout(5):
        shard.ask(written)
        await store.asked.wait()
        shard.ask(waiting)
        store.time += ticker.PATIENCE + 1
        for append in written, waiting:
            with pytest.raises(Unavailable):
                await append.future
        assert loop.waiting_bytes == 0

        store.answers.set()
        receive = Receive(store.now(), limit=10, visibility=1_000, until=store.now() + 1_000)
        shard.ask(receive)
        assert [delivery.record.value for delivery in await receive.future] == [b"first"]
    running.cancel()
