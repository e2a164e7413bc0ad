"""Who owns which shard."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.pool.owners import Member, Owners

names = st.sets(st.from_regex("[a-z]{1,8}-[0-9]", fullmatch=True), min_size=1, max_size=8)
shards = st.integers(0, 2**32)


def owners(*found: str) -> Owners:
    return Owners(1, tuple(Member(name, 1) for name in found))


def test_without_brokers_nobody_owns_a_shard() -> None:
    assert owners().of(1) is None


@given(names, st.lists(shards, min_size=1))
def test_every_broker_decides_the_same(found: set[str], some: list[int]) -> None:
    one, other = owners(*sorted(found)), owners(*sorted(found, reverse=True))
    assert [one.of(shard) for shard in some] == [other.of(shard) for shard in some]


@given(names, st.lists(shards, min_size=1))
def test_when_a_broker_goes_its_shards_alone_move(found: set[str], some: list[int]) -> None:
    gone, *left = sorted(found)
    before, after = owners(gone, *left), owners(*left)
    for shard in some:
        owner = before.of(shard)
        if owner and owner.name != gone:
            assert after.of(shard) == owner


def test_shards_are_spread() -> None:
    table = owners("broker-0", "broker-1", "broker-2")
    counts = Counter(owner.name for shard in range(3000) if (owner := table.of(shard)))
    assert all(900 < count < 1100 for count in counts.values())
