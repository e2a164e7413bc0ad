"""Growth: what a shard knows of the shards that came before it in its queue, and of those that came since. Pure.

A new shard takes its first record once each older one has *split*: that refuses from then on what is the new one's. So
no two shards ever take one key, and what was sent twice is found at the shard that had the key. Where an order is kept,
the new shard delivers once what was sent before the split is settled at each older one: it is *open* then.

Stored in the shard's `meta`:

    joined           1: each older shard has split
    open             1: what they had is settled
    split:<count>    a Split, made as the queue came to have `count` shards
"""

from collections.abc import Mapping

from msgspec import Struct

from quintet_broker.engine.state.jump import places_of


class Split(Struct):
    """What was sent before a shard gave keys away."""

    offset: int
    """It lies below in the log, but for what is delayed."""
    delayed: int
    """So many records, the first ones to be due, are still to enter the log."""


class Growth:
    """Of a shard at one place among those of its queue."""

    def __init__(self, place: int = 0, ordered: bool = False) -> None:
        self.joined = place == 0
        """Whether it may take records."""
        self.open = place == 0 or not ordered
        """Whether it may deliver."""
        self._place = place
        self._splits: dict[int, Split] = {}
        """By count, rising."""
        self._changes: dict[str, str | int | None] = {}

    @classmethod
    def load(cls, meta: Mapping[str, str], place: int, ordered: bool) -> "Growth":
        growth = cls(place, ordered)
        growth.joined |= "joined" in meta
        growth.open |= "open" in meta
        splits = {int(field[6:]): value.split(":") for field, value in meta.items() if field.startswith("split:")}
        growth._splits = {
            count: Split(int(offset), int(delayed)) for count, (offset, delayed) in sorted(splits.items())
        }
        return growth

    @property
    def count(self) -> int:
        """How many shards the queue has, as far as this one gave keys away."""
        return next(reversed(self._splits), 0)

    # As one of the older shards

    def split(self, count: int, tail: int, delayed: int) -> None:
        """Give away what is not this shard's among `count`, unless that is done."""
        if count > max(self.count, self._place + 1):
            self._set(count, Split(tail, delayed))

    def gave_away(self, hashed: int) -> bool:
        return self.count > 0 and places_of(hashed, self.count)[-1] != self._place

    def entered(self, records: int, tail: int) -> None:
        """So many delayed records entered the log, up to `tail`."""
        for count, split in self._splits.items():
            if split.delayed:
                self._set(count, Split(tail, max(0, split.delayed - records)))

    def purged(self) -> None:
        """Nothing is delayed any more."""
        for count, split in self._splits.items():
            if split.delayed:
                self._set(count, Split(split.offset, 0))

    def is_settled(self, count: int, acknowledged_to: int) -> bool:
        """Whether all is settled that was sent before the keys went that `count` shards took away."""
        split = next(split for known, split in self._splits.items() if known >= count)
        return not split.delayed and acknowledged_to >= split.offset

    def _set(self, count: int, split: Split) -> None:
        self._splits[count] = split
        self._changes[f"split:{count}"] = f"{split.offset}:{split.delayed}"

    # As the new one

    def join(self) -> None:
        """Each older shard has split."""
        self.joined = True
        self._changes["joined"] = 1

    def begin(self) -> None:
        """What they had is settled."""
        self.open = True
        self._changes["open"] = 1

    def changes(self) -> dict[str, str | int | None]:
        """The fields of `meta` that changed since the last call."""
        changed, self._changes = self._changes, {}
        return changed
