"""The shards of a queue have turns."""

from typing import cast

import pytest

from quintet_broker.engine.pool.route import Pool, Route
from quintet_broker.engine.pool.spread import Spread
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import QueueFull


class Way:
    """To a shard that another broker owns."""

    shard = None

    def __init__(self, number: int) -> None:
        self.number = number
        self.appended = 0

    async def serve(self, append: Append) -> None:
        self.appended += len(append.records)


def _spread(policy: Policy) -> tuple[Spread, list[Way]]:
    spread = Spread(cast(Pool, None))
    spread.policy, spread.grown = policy, None
    ways = [Way(number) for number in range(2)]
    spread.routes = [cast(Route, way) for way in ways]
    return spread, ways


async def test_sends_and_receives_have_turns_of_their_own() -> None:
    spread, ways = _spread(Policy("orders", 1, 1))
    firsts = []
    for _ in range(4):
        await spread.append(Append(0, [Record(b"", 0)], [None]))
        firsts.append(spread.in_turn()[0].number)
    assert [way.appended for way in ways] == [2, 2]
    assert sorted(firsts) == [0, 0, 1, 1]


@pytest.mark.parametrize("policy", [Policy("orders", 1, 1, messages=20), Policy("orders", 1, 1, bytes=20 * 100)])
async def test_what_a_shard_can_never_hold_is_refused_before_others_store_their_part(policy: Policy) -> None:
    spread, ways = _spread(policy)

    def keyed(count: int) -> Append:
        records = [Record(bytes(80), 0, key=b"%d" % place) for place in range(count)]
        return Append(0, records, [None] * count)

    with pytest.raises(QueueFull, match=r"go to one shard, whose part of limits\."):
        await spread.append(keyed(40))
    assert [way.appended for way in ways] == [0, 0]
    await spread.append(keyed(10))
    assert sum(way.appended for way in ways) == 10
