"""Owners: who owns which shard of a pool. This alone decides it, and every broker decides the same.

By rendezvous hashing (Thaler and Ravishankar, 1998): each live broker has a weight for each shard, and the heaviest
owns it. So where a broker comes or goes, only shards that it gets or had move.
"""

import hashlib

from msgspec import Struct

_MASK = 2**64 - 1


class Member(Struct, frozen=True):
    """A live broker of the pool."""

    name: str
    incarnation: int
    """Grows with each start under the same name."""
    peer: str = ""
    """host:port where other brokers reach it."""
    http: str = ""
    """URL where clients reach exactly this one."""


class Owners:
    """The live brokers at one generation of the pool, and what each of them owns."""

    def __init__(self, generation: int = 0, members: tuple[Member, ...] = ()) -> None:
        self.generation = generation
        """One more with each change of who is there."""
        self.members = {member.name: member for member in members}
        self._seeds = [(_seed(member.name), member) for member in members]
        self._found: dict[int, Member] = {}
        """By shard."""

    def of(self, shard: int) -> Member | None:
        """The owner of a shard; None where no broker is there."""
        if not self._seeds:
            return None
        found = self._found.get(shard)
        if found is None:
            found = max(self._seeds, key=lambda pair: (_weight(pair[0], shard), pair[1].name))[1]
            self._found[shard] = found
        return found


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _weight(seed: int, shard: int) -> int:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014) over both."""
    mixed = (seed ^ (shard * 0x9E3779B97F4A7C15)) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)
