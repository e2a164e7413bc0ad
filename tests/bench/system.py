"""Our own queue as a benchmark's server: brokers over a Redis of their own, and what they cost."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import psutil

from quintet_api.credentials import key_id, secret_key
from tests.processes import Broker, RedisServer


class System:
    """Brokers of a pool and its Redis. `settings` are fields of the Settings of every broker."""

    title = "Quintet"
    promises: ClassVar = {"Memory": "Redis's log, synced each second", "Fsync": "Redis's log, synced before a confirm"}

    def __init__(self, durability: str, brokers: int = 1, **settings: Any) -> None:
        self.durability = durability
        self._directory = Path(tempfile.mkdtemp(prefix="quintet-bench-"))
        self.redis = RedisServer(self._directory, durability)
        names = [f"broker-{number}" for number in range(brokers)]
        settings = {"durability": durability} | settings
        self.brokers = [Broker(self._directory, self.redis.url, pod_name=name, **settings) for name in names]
        self._names = (f"bench-{number}" for number in itertools.count())

    @property
    def broker(self) -> Broker:
        """The first."""
        return self.brokers[0]

    @property
    def url(self) -> str:
        """Where the first serves clients."""
        return self.broker.http_url

    @property
    def access_key(self) -> tuple[str, str]:
        """The pool's: its id and its secret."""
        key = key_id("BrokerPool", "default", "default")
        return key, secret_key(self.broker.master_key.encode(), key)

    def start(self) -> None:
        self.redis.start()
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_until_up()

    def close(self) -> None:
        """End it, and remove what it left."""
        for process in [*self.brokers, self.redis]:
            process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def new_name(self) -> str:
        """Of a queue that no run used before."""
        return next(self._names)

    def cpu(self) -> dict[str, float]:
        """Seconds computed so far, by process: `broker`, of all of them, and `Redis`."""
        times = {process.pid: psutil.Process(process.pid).cpu_times() for process in [*self.brokers, self.redis]}
        computed = {pid: found.user + found.system for pid, found in times.items()}
        redis = computed.pop(self.redis.pid)
        return {"broker": sum(computed.values()), "Redis": redis}

    def memory(self) -> dict[str, float]:
        """MB held, by process."""
        held = {process.pid: psutil.Process(process.pid).memory_info().rss for process in [*self.brokers, self.redis]}
        redis = held.pop(self.redis.pid)
        return {"broker": sum(held.values()) / 1e6, "Redis": redis / 1e6}


class SignedSystem(System):
    """Refuses what is not signed."""

    def __init__(self, durability: str) -> None:
        super().__init__(durability, auth=True)


@contextmanager
def running(durability: str = "Memory") -> Iterator[System]:
    system = System(durability)
    try:
        system.start()
        yield system
    finally:
        system.close()
