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

    def encode(self) -> str:
        """As `seq` keeps it, under the producer's id."""
        return f"{self.epoch}:{self.last}:{self.first_offset}:{self.at}"


class Producers:
    """The producers of one shard, least recently used first: clients by their ids, shards by minus their numbers."""

    def __init__(self) -> None:
        self._by_id: dict[int, Producer] = {}

    @classmethod
    def load(cls, stored: dict[int, str]) -> "Producers":
        producers = cls()
        states = {number: Producer(*map(int, state.split(":"))) for number, state in stored.items()}
        producers._by_id = dict(sorted(states.items(), key=lambda pair: pair[1].at))
        return producers

    def last(self, number: int) -> int:
        """The last sequence stored, -1 before the first."""
        found = self._by_id.get(number)
        return found.last if found else -1

    def advance(self, number: int, last: int, first_offset: int, at: int) -> Producer:
        """A producer's sequences up to `last` are stored."""
        self._by_id.pop(number, None)
        producer = self._by_id[number] = Producer(0, last, first_offset, at)
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
