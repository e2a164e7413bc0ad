"""Running parts that many tests share. A test makes queues under names of its own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.processes import Broker, Pool, RedisServer

# How long an example takes says how busy the machine is. What hangs is ended by pytest.
settings.register_profile("quintet", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quintet")


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


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One that a test may kill."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_broker(tmp_path: Path, redis_server: RedisServer) -> Iterator[Broker]:
    """One with a topology of its own, which a test may kill."""
    broker = Broker(tmp_path, redis_server.url, prefix=uuid.uuid4().hex)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Three brokers over a Redis, which a test may kill."""
    pool = Pool(tmp_path)
    pool.start()
    yield pool
    pool.kill()
