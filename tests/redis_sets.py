"""Several Redis as real processes on loopback: a primary with replicas under Sentinels, and a Redis Cluster."""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError
from redis.retry import Retry

from quintet.embedded import redis_server
from quintet_operator.builders.redis_options import options, words
from tests.processes import Process, free_port

PRIMARY = "quintet"
DOWN_AFTER = 1000
"""Milliseconds without an answer after which a Redis counts as down."""
SETTLES_WITHIN = 60.0
"""Seconds."""
PRIMARIES = 3
SLOTS = 16384
BUS = 10_000
"""So far from a node's port is the one on which it talks to the other nodes."""


class RedisNode(Process):
    """One Redis on a port of loopback, in a directory of its own."""

    def __init__(self, directory: Path, name: str, durability: str = "Fsync", **more: str) -> None:
        super().__init__(directory, name)
        self.directory = directory / name
        self.directory.mkdir()
        self.port = int(more.pop("port", 0)) or free_port()
        self.options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.directory),
            "repl-diskless-sync-delay": "0",
        } | options(durability)
        self.options |= {option.replace("_", "-"): value for option, value in more.items()}

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def client(self) -> "Redis":
        """To be closed, by `with`."""
        return Redis(port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0))

    def command(self) -> list[str]:
        # One that has several words is one only to Redis 7.
        return [redis_server.find(), *(part for word in words(self.options) for part in word.split() or [""])]

    def is_up(self) -> bool:
        try:
            with self.client as redis:
                return bool(redis.ping())
        except (RedisError, OSError):
            return False

    def info(self) -> dict[str, Any]:
        with self.client as redis:
            return dict(redis.info())

    def set(self, **options: Any) -> None:
        """CONFIG SET."""
        with self.client as redis:
            for name, value in options.items():
                redis.config_set(name.replace("_", "-"), value)


class SentinelNode(RedisNode):
    """One that watches the others and says which of them is the primary."""

    def __init__(self, directory: Path, name: str, primary: RedisNode) -> None:
        super().__init__(directory, name)
        self._configuration = self.directory / "sentinel.conf"
        self._configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"sentinel monitor {PRIMARY} 127.0.0.1 {primary.port} 2\n"
            f"sentinel down-after-milliseconds {PRIMARY} {DOWN_AFTER}\n"
            f"sentinel failover-timeout {PRIMARY} 3000\n"
        )

    def command(self) -> list[str]:
        return [redis_server.find(), str(self._configuration), "--sentinel"]


class RedisSet:
    """Redis processes that belong together. `more` are options of each of them."""

    url: str
    nodes: list[RedisNode]

    def __init__(self, directory: Path, durability: str = "Fsync", **more: str) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Until all of them are in step."""
        raise NotImplementedError

    def primary_of(self, key: str) -> RedisNode:
        """The one that has a key, by what those say that live."""
        raise NotImplementedError

    def replicas_of(self, primary: RedisNode) -> list[RedisNode]:
        raise NotImplementedError

    def wait_for_another(self, primary: RedisNode, key: str) -> None:
        """Until a key has another primary, which takes writes."""
        wait_until(lambda: self.primary_of(key) is not primary and self.primary_of(key).info()["role"] == "master")

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()


def wait_for_replicas(primary: RedisNode, count: int) -> None:
    """Until so many have everything that was written."""
    with primary.client as redis:
        wait_until(lambda: redis.pipeline(transaction=False).ping().wait(count, 500).execute()[1] >= count)


def cut_off(primary: RedisNode, replicas: Sequence[RedisNode]) -> None:
    """From now on the replicas get nothing that the primary writes; until now they got everything."""
    wait_for_replicas(primary, len(replicas))
    with primary.client as redis:
        for replica in replicas:
            replica.set(masteruser="nobody", masterauth="wrong")
        redis.execute_command("CLIENT KILL TYPE replica")


def rejoin(replicas: Sequence[RedisNode]) -> None:
    """After `cut_off`."""
    for replica in replicas:
        replica.set(masteruser="", masterauth="")


class SentinelSet(RedisSet):
    """A primary, two replicas, three Sentinels."""

    def __init__(self, directory: Path, durability: str = "Fsync", **more: str) -> None:
        self.redises = [RedisNode(directory, f"redis-{number}", durability, **more) for number in range(3)]
        primary, *replicas = self.redises
        for replica in replicas:
            replica.options["replicaof"] = f"127.0.0.1 {primary.port}"
        self.sentinels = [SentinelNode(directory, f"sentinel-{number}", primary) for number in range(3)]
        self.nodes = [*self.redises, *self.sentinels]
        self.url = f"redis+sentinel://{','.join(sentinel.host for sentinel in self.sentinels)}/{PRIMARY}"

    def start(self) -> None:
        """Until each replica is in step and the Sentinels know each other."""
        _start(self.redises)
        _start(self.sentinels)
        wait_until(lambda: self._primary.info()["connected_slaves"] == 2)
        wait_until(lambda: all(map(self._sees_all, self.sentinels)))

    def _sees_all(self, sentinel: SentinelNode) -> bool:
        with sentinel.client as redis:
            state = redis.sentinel_master(PRIMARY)
            return bool(state["num-slaves"] == 2 and state["num-other-sentinels"] == 2)

    @property
    def _primary(self) -> RedisNode:
        with self.sentinels[0].client as redis:
            _, port = redis.sentinel_get_master_addr_by_name(PRIMARY)
        return next(node for node in self.redises if node.port == int(port))

    def primary_of(self, key: str) -> RedisNode:
        return self._primary

    def replicas_of(self, primary: RedisNode) -> list[RedisNode]:
        return [node for node in self.redises if node is not primary]


class ClusterSet(RedisSet):
    """A Redis Cluster of three primaries, each with a replica."""

    def __init__(self, directory: Path, durability: str = "Fsync", **more: str) -> None:
        more |= {
            "cluster_enabled": "yes",
            "cluster_node_timeout": str(2 * DOWN_AFTER),
            # A replica that lags may take over too: what follows from it is what tests look at.
            "cluster_replica_validity_factor": "0",
        }
        self.nodes = [
            RedisNode(directory, f"node-{number}", durability, port=str(free_port(BUS)), **more)
            for number in range(2 * PRIMARIES)
        ]
        self.url = f"redis+cluster://{','.join(node.host for node in self.nodes[:2])}"

    def start(self) -> None:
        """Until each slot is served and each replica in step."""
        _start(self.nodes)
        primaries, replicas = self.nodes[:PRIMARIES], self.nodes[PRIMARIES:]
        for number, node in enumerate(primaries):
            slots = range(SLOTS * number // PRIMARIES, SLOTS * (number + 1) // PRIMARIES)
            _ask(node, "CLUSTER SET-CONFIG-EPOCH", number + 1)
            _ask(node, "CLUSTER ADDSLOTS", *slots)
        for node in self.nodes[1:]:
            _ask(self.nodes[0], "CLUSTER MEET", "127.0.0.1", node.port)
        wait_until(lambda: all(len(_known_by(node)) == len(self.nodes) for node in self.nodes))
        for primary, replica in zip(primaries, replicas, strict=True):
            _ask(replica, "CLUSTER REPLICATE", id_of(primary))
        wait_until(lambda: all(b"cluster_state:ok" in _ask(node, "CLUSTER INFO") for node in self.nodes))
        wait_until(self.in_step)

    @property
    def _alive(self) -> RedisNode:
        return next(node for node in self.nodes if node.running and node.is_up())

    def primary_of(self, key: str) -> RedisNode:
        slot = key_slot(key.encode())
        for first, last, primary, *_ in _ask(self._alive, "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return self._at(primary[1])
        raise LookupError(f"nobody serves slot {slot}")

    @property
    def primaries(self) -> list[RedisNode]:
        """Of all slots, by what those say that live."""
        found = _ask(self._alive, "CLUSTER", "SLOTS")
        return [self._at(port) for port in {primary[1] for _, _, primary, *_ in found}]

    def in_step(self) -> bool:
        """Whether each primary has its replica."""
        return all(node.info()["connected_slaves"] == 1 for node in self.primaries)

    def replicas_of(self, primary: RedisNode) -> list[RedisNode]:
        mine = id_of(primary)
        lines = [line.split() for line in _known_by(primary)]
        ports = [line[1].partition("@")[0].rpartition(":")[2] for line in lines if line[3] == mine]
        return [self._at(int(port)) for port in ports]

    def _at(self, port: int) -> RedisNode:
        return next(node for node in self.nodes if node.port == port)

    def move_slot(self, key: str, target: RedisNode, pause: float = 0) -> None:
        """Move the slot of a key, key by key, with `pause` seconds after each, as resharding does."""
        slot = key_slot(key.encode())
        source = self.primary_of(key)
        _ask(target, "CLUSTER SETSLOT", slot, "IMPORTING", id_of(source))
        _ask(source, "CLUSTER SETSLOT", slot, "MIGRATING", id_of(target))
        while keys := _ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 1):
            _ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            time.sleep(pause)
        for node in (target, source):
            _ask(node, "CLUSTER SETSLOT", slot, "NODE", id_of(target))


def id_of(node: RedisNode) -> str:
    """By which the others of its Cluster know it."""
    found: bytes = _ask(node, "CLUSTER", "MYID")
    return found.decode()


def _known_by(node: RedisNode) -> list[str]:
    found: bytes = _ask(node, "CLUSTER", "NODES")
    return found.decode().splitlines()


def _ask(node: RedisNode, *command: Any) -> Any:
    # Without redis-py's own reading of the answer.
    with node.client as redis:
        redis.response_callbacks.clear()
        return redis.execute_command(*command)


def _start(nodes: Sequence[RedisNode]) -> None:
    for node in nodes:
        node.launch()
    for node in nodes:
        node.wait_until_up()


def wait_until(condition: Callable[[], bool], within: float = SETTLES_WITHIN) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(RedisError, OSError, AssertionError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s")
        time.sleep(0.02)
