"""The shards of a queue have turns."""

from typing import cast

from quintet_broker.engine.pool.route import Pool, Route
from quintet_broker.engine.pool.spread import Spread
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append
from quintet_broker.engine.state.policy import Policy


class Way:
    """To a shard that another broker owns."""

    shard = None

    def __init__(self, number: int) -> None:
        self.number = number
        self.appended = 0

    async def serve(self, append: Append) -> None:
        self.appended += 1


async def test_sends_and_receives_have_turns_of_their_own() -> None:
    spread = Spread(cast(Pool, None))
    spread.policy, spread.grown = Policy("orders", 1, 1), None
    ways = [Way(number) for number in range(2)]
    spread.routes = [cast(Route, way) for way in ways]
    firsts = []
    for _ in range(4):
        await spread.append(Append(0, [Record(b"", 0)], [None]))
        firsts.append(spread.in_turn()[0].number)
    assert [way.appended for way in ways] == [2, 2]
    assert sorted(firsts) == [0, 0, 1, 1]
