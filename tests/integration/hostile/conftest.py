from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.hostile.others import Others
from tests.processes import Broker, RedisServer


@pytest.fixture(scope="package")
def victim(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Broker]:
    """A broker that others use as well; accepts anybody."""
    directory = tmp_path_factory.mktemp("victim")
    broker = Broker(directory, redis_server.url, prefix=directory.name)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
async def others(victim: Broker) -> AsyncIterator[Others]:
    """They are served before, beside and after each test."""
    others = Others(victim)
    await others.start()
    yield others
    await others.stop()
