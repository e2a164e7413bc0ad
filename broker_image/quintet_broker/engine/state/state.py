"""State: what the owner of a shard knows of it, loaded when it takes it and kept in step with the store since."""

from collections.abc import Iterable
from itertools import groupby, islice, takewhile

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.fair import Fair, in_turn, priority_of
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.lanes.leaving import Leaving
from quintet_broker.engine.records.reason import Reason
from quintet_broker.engine.requests import Counts, Progress
from quintet_broker.engine.state.consumers import Consumers
from quintet_broker.engine.state.deduplication import Deduplication
from quintet_broker.engine.state.delayed import Delayed
from quintet_broker.engine.state.growth import Growth
from quintet_broker.engine.state.producers import Producers
from quintet_broker.engine.state.redrive import AT_ONCE, Redrive
from quintet_broker.store.tick import Taken


class State:
    """One shard's lanes, producers and delayed records."""

    def __init__(
        self, lanes: Iterable[Lane], producers: Producers, delayed: Delayed, deduplication: Deduplication | None = None
    ) -> None:
        self.lanes: dict[int, Lane] = {}
        """By log, those of the highest priority first; those that nothing was ever sent to are not there."""
        self.priorities: list[list[Lane]] = []
        """The same, by priority."""
        self.fair = Fair()
        self.producers = producers
        self.delayed = delayed
        self.deduplication = Deduplication() if deduplication is None else deduplication
        self.consumers = Consumers()
        self.epoch = 0
        """The owner's."""
        self.tick_number = 0
        """Of the last write."""
        self.out: dict[int, int] = {}
        """By target: the sequence of the next record that leaves for it, unless `first_sequence` is higher."""
        self.redrive: Redrive | None = None
        """The last one that was started."""
        self.growth = Growth()
        self._left_for: set[int] = set()
        self.turn = 0
        """Of the last claim from a lane."""
        for lane in lanes:
            self._add(lane)
        self.first_sequence = max((lane.log.tail for lane in self.lanes.values()), default=0)
        """As taken: it is far ahead of all sequences and offsets that a store which lost writes may have given away."""
        self.next_number = self.first_sequence
        """Of the next record that is sent, where an order is kept."""
        self._stored_number = self.next_number

    @classmethod
    def load(cls, taken: Taken, ordered: bool = False, place: int = 0) -> "State":
        """A shard as its new owner found it, at its place among those of its queue."""
        meta = taken.meta
        state = cls(
            [Lane.load(int(field[5:]), taken, ordered) for field in meta if field.startswith("tail:")],
            Producers.load(taken.sequences),
            Delayed(taken.delayed, taken.delayed_next, taken.delayed_last),
            Deduplication(taken.buckets),
        )
        state.consumers = Consumers(meta.get("consumer"))
        state.epoch = taken.epoch
        state.tick_number = int(meta["tick"])
        state.next_number = state._stored_number = max(state.next_number, int(meta.get("number", 0)))
        state.redrive = Redrive.decode(meta["redrive"]) if "redrive" in meta else None
        state.growth = Growth.load(meta, place, ordered)
        state.out = {int(field[4:]): int(value) for field, value in meta.items() if field.startswith("out:")}
        return state

    # Lanes

    def _add(self, lane: Lane) -> None:
        self.lanes[lane.number] = lane
        self.lanes = {number: self.lanes[number] for number in sorted(self.lanes, key=in_turn)}
        self.priorities = [
            [self.lanes[number] for number in numbers] for _, numbers in groupby(self.lanes, key=priority_of)
        ]

    def lane(self, number: int) -> Lane:
        """The lane of a log, made if there is none."""
        if number not in self.lanes:
            self._add(Lane.begin(number, self.tail(number)))
        return self.lanes[number]

    def tail(self, log: int) -> int:
        """The offset that the next record of a log gets."""
        return self.lanes[log].log.tail if log in self.lanes else self.first_sequence

    def cursor(self, log: int) -> Cursor:
        """The cursor over a log, one that holds nothing where there is none."""
        return self.lanes[log].cursor if log in self.lanes else Cursor(log)

    def next_turn(self) -> int:
        """One more at each call."""
        self.turn += 1
        return self.turn

    @property
    def counts(self) -> Counts:
        return Counts(self.visible, self.in_flight, self.delayed.count)

    @property
    def visible(self) -> int:
        """Records that may be delivered now."""
        return sum(lane.visible for lane in self.lanes.values())

    @property
    def in_flight(self) -> int:
        return sum([lane.cursor.in_flight for lane in self.lanes.values()])

    @property
    def due(self) -> int:
        """Records that were delivered in vain, or passed over, and may be delivered again."""
        return sum(lane.cursor.due for lane in self.lanes.values())

    @property
    def remembered(self) -> int:
        """Records that were delivered and are not settled, and those that are leaving."""
        return sum([lane.cursor.remembered for lane in self.lanes.values()])

    @property
    def leaving(self) -> int:
        """Records on their way to other shards."""
        return sum(len(lane.cursor.leaving) for lane in self.lanes.values())

    @property
    def holds_some(self) -> bool:
        """Whether anything is read ahead."""
        return any(lane.ahead for lane in self.lanes.values())

    @property
    def held(self) -> int:
        """Records that may be delivered, now or later."""
        return self.visible + self.in_flight + self.delayed.count

    @property
    def live_bytes(self) -> int:
        """About what the records take that may be delivered or are in flight, delayed ones left out."""
        return sum(lane.bytes_of(lane.held) for lane in self.lanes.values())

    @property
    def bytes_in_flight(self) -> int:
        return sum(lane.bytes_of(lane.cursor.in_flight) for lane in self.lanes.values())

    # Leaving

    @property
    def is_redriving(self) -> bool:
        return self.redrive is not None and self.redrive.left > 0

    @property
    def next_redrive(self) -> int | None:
        """Millisecond at which records may go back."""
        if not self.redrive or not self.redrive.left or not self.holds_some or self.leaving >= AT_ONCE:
            return None
        return self.redrive.look_at

    @property
    def progress(self) -> Progress:
        """Of the last redrive: it runs until the last record has arrived."""
        return self.redrive.told(self.leaving > 0) if self.redrive else Progress()

    @property
    def redrives(self) -> list[Progress]:
        """The last ones, the newest first."""
        return [self.progress, *self.redrive.before] if self.redrive else []

    def leave(self, lane: Lane, offset: int, target: int, reason: Reason) -> None:
        """A record goes to another shard, under the next sequence for that."""
        sequence = max(self.out.get(target, 0), self.first_sequence)
        self.out[target] = sequence + 1
        self._left_for.add(target)
        lane.cursor.leave(offset, target, sequence, reason)
        lane.touch([offset])

    def changes(self) -> dict[str, str | int | None]:
        """The fields of `meta` that changed since the last call, those of lanes left out; None where one is gone."""
        changed = self.growth.changes() | self.consumers.changes()
        changed |= {f"out:{target}": self.out[target] for target in self._left_for}
        self._left_for.clear()
        if self.next_number != self._stored_number:
            self._stored_number = changed["number"] = self.next_number
        return changed

    @property
    def targets(self) -> set[int]:
        """The shards for which records are leaving."""
        return {target for lane in self.lanes.values() for target in lane.cursor.leaving.targets}

    def next_leaving(self, target: int, most: int) -> tuple[Lane, list[Leaving]] | None:
        """Records that go to a target before all others that leave for it: up to so many of one lane, in order."""
        firsts = {}
        for lane in self.lanes.values():
            if first := next(lane.cursor.leaving.bound_for(target), None):
                firsts[first.sequence] = lane
        if not firsts:
            return None
        lane = firsts.pop(min(firsts))
        before = min(firsts, default=None)
        going = takewhile(lambda held: before is None or held.sequence < before, lane.cursor.leaving.bound_for(target))
        return lane, list(islice(going, most))
