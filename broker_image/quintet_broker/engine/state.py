"""State: what the owner of a shard knows of it, loaded when it takes it and kept in step with the store since."""

from quintet_broker.engine.cursor import Cursor
from quintet_broker.engine.delayed import Delayed
from quintet_broker.engine.log import Log
from quintet_broker.engine.producers import Producers
from quintet_broker.engine.read_ahead import ReadAhead
from quintet_broker.store.tick import Taken


class State:
    """One shard's log, cursor, producers and delayed records."""

    def __init__(self, log: Log, cursor: Cursor, producers: Producers, delayed: Delayed) -> None:
        self.log = log
        self.cursor = cursor
        self.producers = producers
        self.delayed = delayed
        self.ahead = ReadAhead(log, cursor)
        self.confirmed = log.tail
        """Every record below is stored."""
        self.epoch = 0
        """The owner's."""
        self.tick_number = 0
        """Of the last write."""
        self.out: dict[int, int] = {}
        """By target: the sequence of the next record that leaves for it, unless `first_sequence` is higher."""
        self.first_sequence = log.tail
        """As taken: it is far ahead of all sequences that a store which lost writes may have given away."""

    @classmethod
    def load(cls, taken: Taken) -> "State":
        """A shard as its new owner found it."""
        meta = taken.meta
        gaps = [(int(field.split(":")[2]), int(end)) for field, end in meta.items() if field.startswith("gap:0:")]
        state = cls(
            Log.load(0, meta),
            Cursor.load(0, taken.cursor, gaps),
            Producers.load(taken.sequences),
            Delayed(taken.delayed, taken.delayed_next),
        )
        state.epoch = taken.epoch
        state.tick_number = int(meta["tick"])
        state.out = {int(field[4:]): int(value) for field, value in meta.items() if field.startswith("out:")}
        return state

    def leave(self, offset: int, target: int) -> None:
        """A delivered record goes to another shard, under the next sequence for that."""
        sequence = max(self.out.get(target, 0), self.first_sequence)
        self.out[target] = sequence + 1
        self.cursor.leave(offset, target, sequence)

    @property
    def visible(self) -> int:
        """Records that may be delivered now."""
        return self.cursor.unread(self.log.tail) + self.cursor.due

    @property
    def live_bytes(self) -> int:
        """About what the records take that are not acknowledged: their share of the log's, delayed ones left out."""
        live = self.visible + self.cursor.in_flight + len(self.cursor.leaving)
        return self.log.bytes * live // self.log.records if self.log.records else 0
