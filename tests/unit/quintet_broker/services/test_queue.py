"""A queue's verbs, whatever its shard answers."""

from typing import cast

import pytest

from quintet_api.queue import QueueSpec
from quintet_broker.engine.pool.route import Pool, Route
from quintet_broker.engine.pool.spread import Spread
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Delivery, Receive
from quintet_broker.services.queue import Queue

NOW = 100_000
RECORD = Record(b"a", NOW, headers=(("quintet-id", bytes(16)),))


class SlowRoute:
    """To a queue's one shard: answers every receive with two deliveries, so many milliseconds after it claimed them."""

    number = 1

    def __init__(self) -> None:
        self.now = NOW
        self.takes = 0

    async def serve(self, receive: Receive) -> list[Delivery]:
        deadlines = [self.now + receive.visibility, self.now + receive.visibility + 1]
        self.now += self.takes
        return [Delivery(0, offset, 1, 1, 1, NOW, deadline, [RECORD]) for offset, deadline in enumerate(deadlines)]


@pytest.mark.parametrize(
    ("takes", "visibility", "received"), [(0, 5, 2), (4_999, 5, 2), (5_000, 5, 1), (5_001, 5, 0), (10, 0, 2)]
)
async def test_what_others_got_since_is_not_handed_out(takes: int, visibility: int, received: int) -> None:
    route = SlowRoute()
    route.takes = takes
    spread = Spread(cast(Pool, None))
    spread.routes = [cast(Route, route)]
    queue = Queue("orders", "1", QueueSpec(), "Runtime", 0, 0, spread, lambda: route.now)
    assert len(await queue.receive(10, visibility_timeout=visibility)) == received
