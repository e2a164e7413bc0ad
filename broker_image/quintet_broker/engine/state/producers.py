"""Producers whose appends happen once: the last sequence stored of each."""

from msgspec import Struct

MAX_PRODUCERS = 100_000
IDLE = 60 * 60 * 1000
"""Milliseconds after which a client's producer is forgotten. Shards, as producers, never are."""


class Producer(Struct):
    epoch: int
    last: int
    """Sequence of its last record or append."""
    first_offset: int
    """Of its last append."""
    at: int
    """Milliseconds since 1970."""
    count: int = 0
    """Of the queue's shards, as far as this one gave keys away to them before `last`."""
    earlier: tuple[tuple[int, int], ...] = ()
    """(count, last sequence) of each lower count."""

    def encode(self) -> str:
        """As `seq` keeps it, under the producer's id."""
        state = f"{self.epoch}:{self.last}:{self.first_offset}:{self.at}"
        if not self.count:
            return state
        return ":".join([state, str(self.count), *(f"{count}={last}" for count, last in self.earlier)])

    @classmethod
    def decode(cls, state: str) -> "Producer":
        epoch, last, first_offset, at, *more = state.split(":")
        count, *earlier = more or ["0"]
        pairs = [pair.split("=") for pair in earlier]
        lasts = tuple((int(known), int(sequence)) for known, sequence in pairs)
        return cls(int(epoch), int(last), int(first_offset), int(at), int(count), lasts)


class Producers:
    """The producers of one shard, least recently used first: clients by their ids, shards by minus their numbers."""

    def __init__(self) -> None:
        self._by_id: dict[int, Producer] = {}

    @classmethod
    def load(cls, stored: dict[int, str]) -> "Producers":
        producers = cls()
        states = {number: Producer.decode(state) for number, state in stored.items()}
        producers._by_id = dict(sorted(states.items(), key=lambda pair: pair[1].at))
        return producers

    def last(self, number: int) -> int:
        """The last sequence stored, -1 before the first."""
        found = self._by_id.get(number)
        return found.last if found else -1

    def last_before(self, number: int, count: int) -> int:
        """As `last`, as it was when the shard gave keys away to the last of `count` shards."""
        found = self._by_id.get(number)
        if found is None:
            return -1
        return max((last for known, last in (*found.earlier, (found.count, found.last)) if known < count), default=-1)

    def advance(self, number: int, last: int, first_offset: int, at: int, count: int = 0) -> Producer:
        """A producer's sequences up to `last` are stored. The shard gave keys away among `count` shards so far."""
        before = self._by_id.pop(number, None)
        producer = self._by_id[number] = Producer(0, last, first_offset, at, count)
        if count and before:
            producer.earlier = before.earlier
            if before.count < count:
                producer.earlier += ((before.count, before.last),)
        return producer

    def forget(self, now: int) -> list[int]:
        """Take away the clients that were idle for long, and the longest idle where there are too many."""
        gone = []
        clients = [number for number in self._by_id if number > 0]
        surplus = len(clients) - MAX_PRODUCERS
        for place, number in enumerate(clients):
            if place >= surplus and now - self._by_id[number].at < IDLE:
                break
            del self._by_id[number]
            gone.append(number)
        return gone
