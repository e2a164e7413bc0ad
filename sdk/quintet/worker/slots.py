"""Slots: how many messages a worker handles at a time, of all its queues together."""

import asyncio


class Slots:
    """Counts what is held. `turn` is taken while a message is handled.

    Consumers that wait for messages reserve nothing, so that an idle queue takes no slot from a busy one. Where several
    get messages at the same time more may be held than there are slots; they wait for their turn.
    """

    def __init__(self, count: int) -> None:
        self.turn = asyncio.Semaphore(count)
        self._free = count
        self.freed = asyncio.Event()
        """Set where there may be room again."""

    @property
    def free(self) -> int:
        return max(0, self._free)

    def take(self, count: int) -> None:
        self._free -= count

    def give(self) -> None:
        self._free += 1
        self.freed.set()
