"""Spec: what a worker has to know of a queue."""

import time

from quintet import wire
from quintet.queue import Queue

HOLDS = 10.0
"""Seconds for which what was learned is taken for true."""


class Spec:
    """Of one queue, as it was when it was looked at last; raises QuintetError where it cannot be looked at."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._info: wire.QueueInfo | None = None
        self._learned_at = 0.0

    async def visibility_timeout(self) -> float:
        """Seconds."""
        return wire.seconds((await self._learn()).spec["visibilityTimeout"])

    async def is_fifo(self) -> bool:
        return bool((await self._learn()).spec["ordering"] == "Fifo")

    async def max_receives(self) -> int | None:
        """After how many deliveries a message goes to the dead-letter queue; None where there is none."""
        dead_letter = (await self._learn()).spec.get("deadLetter")
        return dead_letter["maxReceives"] if dead_letter else None

    async def _learn(self) -> wire.QueueInfo:
        if self._info is None or time.monotonic() - self._learned_at > HOLDS:
            self._info, self._learned_at = await self._queue.info(), time.monotonic()
        return self._info
