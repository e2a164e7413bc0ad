"""A broker on a Redis of its own, and what they cost."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.processes import Broker, RedisServer


@dataclass
class System:
    """Both processes of one durability."""

    durability: str
    broker: Broker
    redis: RedisServer

    def __post_init__(self) -> None:
        self._names = (f"bench-{number}" for number in itertools.count())

    def new_name(self) -> str:
        """Of a queue that no run used before."""
        return next(self._names)

    def cpu(self) -> tuple[float, float]:
        """Seconds that the broker and Redis computed so far."""
        broker, redis = (psutil.Process(process.pid).cpu_times() for process in (self.broker, self.redis))
        return broker.user + broker.system, redis.user + redis.system

    def memory(self) -> tuple[float, float]:
        """MB that the broker and Redis hold."""
        broker, redis = (psutil.Process(process.pid).memory_info().rss / 1e6 for process in (self.broker, self.redis))
        return broker, redis


@contextmanager
def running(durability: str = "Memory") -> Iterator[System]:
    with tempfile.TemporaryDirectory(prefix="quintet-bench-") as name:
        directory = Path(name)
        redis = RedisServer(directory, durability)
        redis.start()
        broker = Broker(directory, redis.url)
        broker.start()
        try:
            yield System(durability, broker, redis)
        finally:
            broker.stop()
            redis.stop()
