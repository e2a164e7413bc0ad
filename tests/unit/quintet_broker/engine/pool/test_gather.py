"""One receive over several shards, whatever they answer."""

import asyncio
from typing import Any, cast

import pytest

from quintet_broker.engine.pool.gather import gather
from quintet_broker.engine.pool.route import Route
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Delivery, Receive
from quintet_broker.errors import BrokerError, InvalidArgument, NotOwner, QueueNotFound, TooManyInFlight, Unavailable


class Shard:
    """Has some deliveries, at once or once it is waited at, or refuses."""

    def __init__(self, number: int, has: int = 0, refusal: BrokerError | None = None, *, late: bool = False) -> None:
        self.some = [Delivery(0, offset, number, 1, 1, 0, 1000, [Record(b"", 0)]) for offset in range(has)]
        self.refusal = refusal
        self.late = late
        self.asked = 0
        self.given_back: list[Delivery] = []
        self.cancelled = False

    async def serve(self, receive: Receive, *, asks_again: bool = True) -> list[Delivery]:
        if not asks_again:
            self.asked += 1
            return [] if self.late else self._answer(receive)
        if not self.late and not self.refusal:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled = True
        return self._answer(receive)

    def _answer(self, receive: Receive) -> list[Delivery]:
        if self.refusal:
            raise self.refusal
        return self.some[: receive.limit]

    def give_back(self, deliveries: list[Delivery]) -> None:
        self.given_back += deliveries


async def found(*shards: Shard, limit: int = 10, wait: int = 0) -> list[int]:
    """How many came of each shard."""
    got: Any = await gather([cast(Route, cast(Any, shard)) for shard in shards], Receive(0, limit, 1000, wait))
    return [sum(route is shard for route, _ in got) for shard in shards]


async def test_shards_are_asked_until_there_is_enough() -> None:
    shards = Shard(1, has=3), Shard(2), Shard(3, has=9), Shard(4, has=1)
    assert await found(*shards) == [3, 0, 7, 0]
    assert [shard.asked for shard in shards] == [1, 1, 1, 0]


@pytest.mark.parametrize("refusal", [NotOwner(), Unavailable(), TooManyInFlight()])
async def test_one_that_gives_nothing_holds_up_no_other(refusal: BrokerError) -> None:
    assert await found(Shard(1, refusal=refusal), Shard(2, has=1)) == [0, 1]
    assert await found(Shard(1, refusal=refusal), Shard(2)) == [0, 0]
    assert await found(Shard(1, refusal=refusal), Shard(2, has=1, late=True), wait=1000) == [0, 1]


@pytest.mark.parametrize("wait", [0, 1000])
async def test_what_no_shard_can_give_is_refused(wait: int) -> None:
    with pytest.raises(TooManyInFlight):
        await found(Shard(1, refusal=TooManyInFlight()), Shard(2, refusal=TooManyInFlight()), wait=wait)
    with pytest.raises(Unavailable):
        await found(Shard(1, refusal=NotOwner()), Shard(2, refusal=NotOwner()), wait=wait)
    with pytest.raises(QueueNotFound):
        await found(Shard(1), Shard(2, refusal=QueueNotFound()), wait=wait)


async def test_the_first_that_has_something_ends_the_waits_at_all_others() -> None:
    idle, late = Shard(1), Shard(2, has=2, late=True)
    assert await found(idle, late, wait=1000) == [0, 2]
    await asyncio.sleep(0)
    assert idle.cancelled


async def test_what_is_too_much_is_given_back() -> None:
    shards = Shard(1, has=4, late=True), Shard(2, has=4, late=True)
    assert sum(await found(*shards, limit=5, wait=1000)) == 5
    assert sum(len(shard.given_back) for shard in shards) == 3


@pytest.mark.parametrize("late", [False, True], ids=["at once", "waited for"])
async def test_what_came_before_an_error_is_given_back(late: bool) -> None:
    # Those that end in the same turn are looked at in any order: of many that have something, some come before it.
    shards = [Shard(number, has=1, late=late) for number in range(20)]
    broken = Shard(20, refusal=InvalidArgument("The selector costs too much."), late=late)
    with pytest.raises(InvalidArgument):
        await found(*shards, broken, limit=100, wait=1000 if late else 0)
    assert [len(shard.given_back) for shard in shards] == [1] * 20
