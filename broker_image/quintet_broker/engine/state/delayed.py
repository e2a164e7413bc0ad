"""Delayed: the records of a shard that wait to be due. They are kept by the store, and enter the log then."""

from quintet_broker.engine.records.record import Record, decode_intact
from quintet_broker.store.redis import Store

AT_ONCE = 32
"""Records that enter the log together: no more, since each may be as large as a message can be."""


class Delayed:
    """How many wait, when to look for those that are due, and those that were found."""

    def __init__(self, count: int = 0, next_due: int | None = None, last_due: int = 0) -> None:
        self.count = count
        """Without those that were taken to enter the log."""
        self.next_due = next_due
        """Millisecond at which the first may be due; None while there is none to look for."""
        self.last_due = last_due
        """Millisecond at which the last one is due."""
        self.found: list[bytes] = []
        """As the store holds them, until `take`."""
        self._records: list[Record] = []
        self._moving = False
        """Whether the store still holds some that were found: a look would find them again."""

    def add(self, due: int) -> None:
        """One more waits, until that millisecond."""
        self.count += 1
        self.last_due = max(self.last_due, due)
        self._look_at(due)

    def _look_at(self, due: int) -> None:
        self.next_due = due if self.next_due is None else min(self.next_due, due)

    def wants_fetch(self, now: int) -> bool:
        return not self._moving and self.next_due is not None and self.next_due <= now

    async def fetch(self, store: Store, shard: int, now: int) -> None:
        """Find some that are due, or when the next one is. Raises Unavailable."""
        self.next_due = None
        found = await store.due(shard, now, AT_ONCE)
        if found:
            self._records = [record for batch in found for _, record in decode_intact(batch)]
            self.found = found
            self._moving = True
        elif (later := await store.next_due(shard)) is not None:
            self._look_at(later)

    def take(self) -> tuple[list[bytes], list[Record]]:
        """Take those that were found, to enter the log: as the store holds them, and their records."""
        found, records = self.found, self._records
        self.found, self._records = [], []
        self.count -= len(found)
        return found, records

    def moved(self) -> None:
        """Those that were taken are stored in the log. There may be more."""
        self._moving = False
        self.next_due = 0
