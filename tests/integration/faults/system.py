"""What is done to a running system: queues made, processes killed and stopped."""

import asyncio
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIGCONT, SIGSTOP

import aiohttp

from quintet.client import Client
from quintet.queue import Queue
from tests.prober.ports import Port, QuintetPort
from tests.processes import Broker, Pool, Process, RedisServer

QUEUES = [f"orders-{number}" for number in range(6)]
"""What the prober uses."""
FIFO = QUEUES[1::2]
"""Those of QUEUES that are Fifo."""
DEAD_LETTERS = {"Standard": "dead", "Fifo": "dead-in-order"}
WATCHED = [f"watched-{number}" for number in range(12)]
"""Each of them is asked how soon it is served. With QUEUES so many that each of three brokers owns some."""
LEASE = 3.0
"""Seconds: the default of a broker's settings."""
SLACK = 3.0
"""Seconds that anything may take longer."""
BUSY = 20
"""So many times what `served` takes without a fault it may take longer after one: it tells how busy the machine is."""
KILLED_AGAIN_WITHIN = 0.6
"""Seconds; a broker needs about as many to start."""
PAUSES = 0.25
"""Of all strikes at several brokers."""
PAUSED_FOR = (0.8 * LEASE, 1.6 * LEASE)
"""Seconds, at least and at most: some wake as owners, some just then lose their lease, most lost it."""


def seed() -> int:
    """Of this run: printed, and taken from FAULTS_SEED where that is set."""
    found = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))
    print(f"FAULTS_SEED={found}")
    return found


async def make_queues(client: Client, max_receives: int = 0) -> None:
    """Make QUEUES, and those that are WATCHED; QUEUES dead-letter after so many receives, if after any."""
    for ordering, dead in DEAD_LETTERS.items():
        await client.create_queue(dead, {"ordering": ordering})
    for queue in QUEUES:
        ordering = "Fifo" if queue in FIFO else "Standard"
        dead_letter = {"deadLetter": {"queue": DEAD_LETTERS[ordering], "maxReceives": max_receives}}
        await client.create_queue(queue, {"ordering": ordering} | (dead_letter if max_receives else {}))
    for queue in WATCHED:
        await client.create_queue(queue)


def ports(queue: str, clients: Sequence[Client]) -> list[Port]:
    """A port to one of QUEUES through each client."""
    return [QuintetPort(client.queue(queue), ordered=queue in FIFO) for client in clients]


def spread(clients: Sequence[Client]) -> list[Port]:
    """A port to each of QUEUES through each client."""
    return [port for queue in QUEUES for port in ports(queue, clients)]


async def served(clients: Sequence[Client]) -> float:
    """Seconds until each queue that is WATCHED took a message from each client, and gave one."""

    async def use(queue: Queue) -> None:
        await queue.send("watched")
        while not await queue.receive_batch(1, wait=1.0):
            pass

    began = time.monotonic()
    await asyncio.gather(*(use(client.queue(name)) for client in clients for name in WATCHED))
    return time.monotonic() - began


async def owner(asked: Broker, queue: str) -> str:
    """The name of the broker that owns a queue, as one of them tells it."""
    async with aiohttp.request("GET", f"{asked.http_url}/v1/queues/{queue}", raise_for_status=True) as response:
        return str((await response.json())["shards"][0]["owner"])


async def owners(asked: Broker) -> dict[str, str]:
    """The same of each queue."""
    queues = QUEUES + WATCHED
    return dict(zip(queues, await asyncio.gather(*(owner(asked, queue) for queue in queues)), strict=True))


def named(pool: Pool, name: str) -> Broker:
    [found] = [broker for broker in pool.brokers if broker.settings["pod_name"] == name]
    return found


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """Stopped by SIGSTOP, and continued."""
    os.kill(process.pid, SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, SIGCONT)


class Killer:
    """Kills brokers, their Redis or both at random, and brings them up again; one of several it may pause as well."""

    def __init__(self, seed: int, brokers: Sequence[Broker], redis: RedisServer) -> None:
        self.kills = 0
        self.pauses = 0
        self._random = random.Random(seed)
        self._brokers = brokers
        self._redis = redis

    def strike(self) -> None:
        """Kill, perhaps once more while they recover, or pause, and return when all serve again."""
        if len(self._brokers) > 1 and self._random.random() < PAUSES:
            self._pause(self._random.choice(self._brokers))
        else:
            self._kill_some()
        for process in [self._redis, *self._brokers]:
            process.wait_until_up()

    def _pause(self, victim: Broker) -> None:
        """Let it stand still, and perhaps kill another meanwhile."""
        seconds = self._random.uniform(*PAUSED_FOR)
        with stopped(victim):
            if self._random.random() < 0.4:
                self._kill([self._random.choice([self._redis, *(one for one in self._brokers if one is not victim)])])
            time.sleep(seconds)
        self.pauses += 1

    def _kill_some(self) -> None:
        brokers: list[Process] = self._random.sample(self._brokers, self._random.randint(1, len(self._brokers)))
        choices: list[list[Process]] = [brokers, [self._redis], [*brokers, self._redis]]
        victims = self._random.choice(choices)
        self._kill(victims)
        if self._random.random() < 0.4:
            time.sleep(self._random.uniform(0, KILLED_AGAIN_WITHIN))
            self._kill([self._random.choice(victims)])

    def _kill(self, victims: Sequence[Process]) -> None:
        """All of them, and start them again."""
        for process in victims:
            process.kill()
            self.kills += 1
        for process in self._random.sample(victims, len(victims)):
            process.launch()
