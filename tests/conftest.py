"""Running parts that many tests share. A test makes queues under names of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Broker, RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


def _broker(directory: Path, redis: RedisServer, *, auth: bool) -> Iterator[Broker]:
    broker = Broker(directory, redis.url, auth=auth, prefix=directory.name)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Broker]:
    """Accepts anybody."""
    yield from _broker(tmp_path_factory.mktemp("broker"), redis_server, auth=False)


@pytest.fixture(scope="session")
def secured_broker(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Broker]:
    """Accepts signed requests only."""
    yield from _broker(tmp_path_factory.mktemp("secured"), redis_server, auth=True)
