"""Consumer: what a worker receives of one queue."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from msgspec import Struct

from quintet.errors import RETRIED, QueueInUse, QuintetError, TooManyInFlight
from quintet.message import Message
from quintet.queue import MAX_RECEIVE, MAX_WAIT, Queue
from quintet.retry import pauses
from quintet.worker.handler import Handle, Handler
from quintet.worker.heartbeat import Held, beat
from quintet.worker.outcome import Policy
from quintet.worker.slots import Slots
from quintet.worker.spec import Spec

PASSING = (*RETRIED, QueueInUse, TooManyInFlight)
"""What may keep a worker from its first message, and is waited for."""
LEAST_HIDDEN = 1.0
"""Seconds; heartbeats could not keep a message that is hidden for less."""
HEARD_WITHIN = 60.0
"""Seconds; a receive is answered sooner where all is well."""
SETTLED = 2
"""Times the concurrency may be held, where many are handled and wait for their acknowledgements."""
CLOSE_WITHIN = 2.0
"""Seconds for giving back what is held at the end."""

logger = logging.getLogger("quintet.worker")


class Source(Struct, frozen=True, kw_only=True):
    """A queue, and how its messages are received and handled."""

    queue: str
    handle: Handle
    concurrency: int
    visibility_timeout: float | None
    selector: str | None
    policy: Policy


class Consumer:
    """Receives as many messages as may be handled, and hands each to the handler: it holds none ahead.

    In a Fifo queue the messages of a group are handled one after the other.
    """

    def __init__(self, source: Source, queue: Queue, name: str, slots: Slots) -> None:
        """`name`: of the consumer, where one is served at a time."""
        self._error: QuintetError | None = None
        """Why nothing can be received just now."""
        self._source = source
        self._queue = queue
        self._name = name
        self._slots = slots
        self._spec = Spec(queue)
        self._handler = Handler(source.handle, source.policy, self._spec)
        self._held: set[Held] = set()
        """Not settled yet."""
        self._running = 0
        """Those of them that are handled, or wait for their turn."""
        self._working: set[asyncio.Task[None]] = set()
        self._beating: asyncio.Task[None] | None = None
        self._has_begun = False
        """Whether a receive was answered."""
        self._heard_at = time.monotonic()

    @property
    def queue(self) -> str:
        """Its name."""
        return self._queue.name

    @property
    def health(self) -> "Health":
        heard = time.monotonic() - self._heard_at < HEARD_WITHIN
        return Health(
            # Nothing is asked while all slots are taken.
            healthy=heard or not self._room,
            held=len(self._held),
            counts={str(verdict): count for verdict, count in self._handler.counts.items()},
            error=str(self._error) if self._error else None,
        )

    # Receiving

    async def run(self) -> None:
        """Until it is cancelled. Raises QuintetError where nothing was ever received and waiting would not help."""
        pause = pauses()
        while True:
            try:
                await self._receive()
                pause = pauses()
            except QuintetError as error:
                if not self._has_begun and not isinstance(error, PASSING):
                    raise
                self._tell(error)
                await asyncio.sleep(next(pause))

    def _tell(self, error: QuintetError) -> None:
        if type(error) is not type(self._error):
            logger.warning("%s: nothing can be received, trying on: %s", self._queue.name, error)
        self._error = error

    @property
    def _room(self) -> int:
        """Messages that may be received: while some are settled, others are handled."""
        most = self._source.concurrency
        return min(most - self._running, SETTLED * most - len(self._held), self._slots.free, MAX_RECEIVE)

    async def _receive(self) -> None:
        """As many as may be handled. Raises QuintetError."""
        while not self._room:
            self._slots.freed.clear()
            await self._slots.freed.wait()
        hidden_for, is_fifo = await self._hidden_for(), await self._spec.is_fifo()
        messages = await self._queue.receive_batch(
            self._room,
            wait=MAX_WAIT,
            visibility_timeout=hidden_for,
            selector=self._source.selector,
            consumer=self._name,
        )
        self._heard_at, self._has_begun, self._error = time.monotonic(), True, None
        if self._beating is None:
            self._beating = asyncio.create_task(beat(self._held, hidden_for))
        for group in _groups(messages) if is_fifo else [[message] for message in messages]:
            self._start(group)

    async def _hidden_for(self) -> float:
        """Seconds for which a message is hidden, until the next heartbeat."""
        asked = self._source.visibility_timeout
        return max(await self._spec.visibility_timeout(), LEAST_HIDDEN) if asked is None else asked

    # Handling

    def _start(self, messages: Sequence[Message]) -> None:
        group = [Held(message) for message in messages]
        self._held.update(group)
        self._running += len(group)
        self._slots.take(len(group))
        working = asyncio.create_task(self._work(group))
        self._working.add(working)
        working.add_done_callback(self._working.discard)

    async def _work(self, group: Sequence[Held]) -> None:
        """Handle messages one after the other; those behind one that comes again go back too, and keep their order."""
        waits = False
        for held in group:
            async with self._slots.turn:
                outcome = None if waits or self._handler.ending else await self._handler.handle(held)
            self._running -= 1
            self._slots.give()
            await (self._handler.settle(held, outcome) if outcome else _put_back(held))
            self._held.discard(held)
            self._slots.freed.set()
            waits = outcome is None or not outcome.is_final

    # The end

    def stop(self) -> None:
        """Begin with no further message."""
        self._handler.ending = True

    async def idle(self) -> None:
        """Until nothing is handled."""
        while self._working:
            await asyncio.wait(self._working)

    def cancel(self) -> None:
        """Let all handlers end."""
        for held in self._held:
            held.cancel()

    async def close(self) -> None:
        """Give back what is still held; where one consumer is served at a time, let another become active."""
        if self._beating:
            self._beating.cancel()
        with contextlib.suppress(QuintetError, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await asyncio.gather(*map(_put_back, list(self._held)))
                await self._queue.close_consumer(self._name)


class Health(Struct, frozen=True):
    """How it goes with a queue."""

    healthy: bool
    """Whether the broker answered within a minute, or is not asked since all slots are taken."""
    held: int
    """Messages that are handled or settled just now."""
    counts: dict[str, int]
    """Deliveries by how they ended: `handled`, `retried`, `rejected`, `dropped`, `released`, `lost`."""
    error: str | None
    """Why nothing can be received just now."""


def _groups(messages: Sequence[Message]) -> list[list[Message]]:
    """By key, each in its order."""
    groups: dict[str | None, list[Message]] = {}
    for message in messages:
        groups.setdefault(message.key, []).append(message)
    return list(groups.values())


async def _put_back(held: Held) -> None:
    """For others; a delivery whose handler never began does not count."""
    await held.still()
    with contextlib.suppress(QuintetError):
        await held.message.release(delivered=held.handling is not None)
