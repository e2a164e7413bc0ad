"""What is done to a running system: queues made, processes killed and stopped."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGCONT, SIGSTOP

from tests.processes import Broker, Process, RedisServer

KILLED_AGAIN_WITHIN = 0.6
"""Seconds; a broker needs about as many to start."""


def seed() -> int:
    """Of this run: printed, and taken from FAULTS_SEED where that is set."""
    found = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))
    print(f"FAULTS_SEED={found}")
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
    """Kills a broker, its Redis or both at random, and brings them up again."""

    def __init__(self, seed: int, broker: Broker, redis: RedisServer) -> None:
        self.kills = 0
        self._random = random.Random(seed)
        self._all: list[Process] = [broker, redis]

    def strike(self) -> None:
        """Kill, perhaps once more while they recover, and return when both serve again."""
        victims = self._random.choice([self._all[:1], self._all[1:], self._all])
        self._kill(victims)
        self._launch(victims)
        if self._random.random() < 0.4:
            time.sleep(self._random.uniform(0, KILLED_AGAIN_WITHIN))
            again = [self._random.choice(victims)]
            self._kill(again)
            self._launch(again)
        for process in reversed(self._all):
            process.wait_until_up()

    def _kill(self, victims: list[Process]) -> None:
        for process in victims:
            process.kill()
            self.kills += 1

    def _launch(self, victims: list[Process]) -> None:
        for process in self._random.sample(victims, len(victims)):
            process.launch()
