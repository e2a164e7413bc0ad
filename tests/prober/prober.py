"""Prober: numbered messages through a queue, for as long as something is done to the system beside it."""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from tests.prober.ledger import Ledger, Name, Verdict
from tests.prober.ports import Port, Received, Unanswered

WAIT = 1.0
"""Seconds that a receive waits."""
PAUSE = 0.02
"""Seconds after which a worker that got no answer goes on."""
LOOK_EVERY = 0.05
"""Seconds between two looks at what the queues still have."""


@dataclass(frozen=True)
class Load:
    """What a prober does to a queue."""

    producers: int = 4
    consumers: int = 4
    keys: int = 3
    """Of each producer, taken in turn."""
    rate: float | None = None
    """Messages a second of each producer; None: as fast as they are confirmed."""
    size: int = 200
    """Characters of a body, at least."""
    limit: int = 10
    """Messages asked for at once."""
    visibility: float = 5.0
    """Seconds."""
    backlog: int = 5_000
    """Producers wait while more than this was confirmed and not received."""
    poison_every: int = 0
    """So many messages of a key from one that is never acknowledged to the next; 0: none."""


class Prober:
    """Runs from `async with` on until `finish`; its workers are spread over the ports."""

    def __init__(self, ports: Sequence[Port], load: Load | None = None, dead_letter: Sequence[Port] = ()) -> None:
        self.load = load or Load()
        self.ledger = Ledger(secrets.token_hex(4), self.load.visibility)
        self.poisoned: set[Name] = set()
        """Confirmed and never to be acknowledged."""
        self.unanswered = 0
        self._ports = ports
        self._dead_letter = dead_letter
        self._stopping = False
        self._producers: list[asyncio.Task[None]] = []
        self._consumers: list[asyncio.Task[None]] = []
        self._last_received = time.monotonic()

    async def __aenter__(self) -> "Prober":
        for number in range(self.load.producers):
            self._producers.append(asyncio.create_task(self._produce(number, self._port(number))))
        for number in range(self.load.consumers):
            self._consumers.append(asyncio.create_task(self._consume(self._port(number))))
        for port in self._dead_letter:
            self._consumers.append(asyncio.create_task(self._consume(port, dead=True)))
        return self

    def _port(self, number: int) -> Port:
        return self._ports[number % len(self._ports)]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        workers = self._producers + self._consumers
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    # Watching

    async def until(self, condition: Callable[[], bool], within: float) -> None:
        """Wait for a condition for up to so many seconds. Raises TimeoutError, and what a worker failed with."""
        deadline = time.monotonic() + within
        while not condition():
            self._raise_failures()
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {within} s:\n{self.ledger.verdict()}")
            await asyncio.sleep(PAUSE / 4)

    async def progress(self, messages: int, within: float = 60.0) -> None:
        """Wait until so many more messages are confirmed, received and acknowledged."""
        books = self.ledger
        confirmed, received, acknowledged = (
            count + messages for count in (books.confirmed, books.received, books.acknowledged)
        )
        await self.until(
            lambda: books.confirmed >= confirmed and books.received >= received and books.acknowledged >= acknowledged,
            within,
        )

    async def until_dead_lettered(self, within: float = 60.0) -> None:
        """Wait until all that is poison was received from the dead-letter queue."""
        await self.until(lambda: self.poisoned <= self.ledger.dead_lettered, within)

    async def finish(self, within: float = 60.0) -> Verdict:
        """Send no more, receive until the queues have nothing, and judge.

        What is missing, or left, is waited for until nothing came for `within` seconds: what was delivered and not
        acknowledged comes back once its visibility timeout has passed.
        """
        self._stopping = True
        await asyncio.gather(*self._producers)
        self._last_received = time.monotonic()
        while time.monotonic() - self._last_received < within:
            self._raise_failures()
            if not self.ledger.unreceived and await self._all_are_empty():
                break
            await asyncio.sleep(LOOK_EVERY)
        return self.ledger.verdict()

    async def _all_are_empty(self) -> bool:
        try:
            return not any(await asyncio.gather(*(port.held() for port in [*self._ports, *self._dead_letter])))
        except Unanswered:
            return False

    def _raise_failures(self) -> None:
        for worker in self._producers + self._consumers:
            if worker.done() and not worker.cancelled():
                worker.result()

    # Workers

    async def _produce(self, producer: int, port: Port) -> None:
        number = 0
        began = time.monotonic()
        while not self._stopping:
            name = Name(producer, number % self.load.keys, number // self.load.keys)
            number += 1
            body = self.ledger.send(name, self.load.size, ordered=port.ordered)
            try:
                await port.send(body, f"{producer}-{name.key}")
            except Unanswered:
                self.unanswered += 1
                await asyncio.sleep(PAUSE)
            else:
                self.ledger.confirm(name)
                if self._is_poison(name):
                    self.poisoned.add(name)
            if self.load.rate:
                await asyncio.sleep(max(0.0, began + number / self.load.rate - time.monotonic()))
            if self.ledger.confirmed - self.ledger.received > self.load.backlog:
                await self.until(self._may_produce, within=math.inf)

    def _may_produce(self) -> bool:
        return self._stopping or self.ledger.confirmed - self.ledger.received < self.load.backlog

    def _is_poison(self, name: Name) -> bool:
        return bool(self.load.poison_every) and name.number % self.load.poison_every == 0

    async def _consume(self, port: Port, *, dead: bool = False) -> None:
        while True:
            asked = time.monotonic()
            try:
                messages = await port.receive(self.load.limit, WAIT, self.load.visibility)
                good = self._note(messages, asked, dead)
                if good:
                    results = await port.acknowledge([message for message, _ in good])
                    for (_, name), confirmed in zip(good, results, strict=True):
                        if confirmed:
                            self.ledger.acknowledge(name)
            except Unanswered:
                self.unanswered += 1
                await asyncio.sleep(PAUSE)

    def _note(self, messages: list[Received], asked: float, dead: bool) -> list[tuple[Received, Name]]:
        """Note deliveries; return those to acknowledge."""
        now = time.monotonic()
        if messages:
            self._last_received = now
        noted = [
            (message, self.ledger.receive(message.body, message.id, asked, now, dead=dead)) for message in messages
        ]
        known = [(message, name) for message, name in noted if name]
        for _, name in known:
            self.ledger.done_with(name)
        return [(message, name) for message, name in known if dead or not self._is_poison(name)]
