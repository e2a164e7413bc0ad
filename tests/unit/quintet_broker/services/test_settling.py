"""What clients hold is told apart by shard, and each message gets its own result."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from quintet_broker.errors import BrokerError, InvalidArgument, ReceiptInvalid, ReceiptStale
from quintet_broker.services import receipts, settling
from quintet_broker.services.settling import MAX_SETTLE, Handle

SHARDS = (3, 7)
FOREIGN = 9
"""A shard of another queue."""


@given(some.lists(some.tuples(some.sampled_from((*SHARDS, FOREIGN)), some.integers(1, 5)), max_size=12))
def test_each_message_gets_the_result_of_its_place(held: list[tuple[int, int]]) -> None:
    named = [(number, shard, count) for number, (shard, count) in enumerate(held)]
    given = [Handle(receipts.handle(shard, (0, number * 10, number, 0)), count) for number, shard, count in named]
    found = settling.named(SHARDS, given)
    for part in found.by_shard.values():
        answers: list[BrokerError | None] = []
        for number, (_, offset, nonce, count) in zip(part.given, part.receipts, strict=True):
            assert (offset, nonce, count) == (number * 10, number, held[number][1])
            answers += [ReceiptStale(f"{number} {place}") for place in range(count)]
        part.spread(answers, found.places, found.results)
    expected = [
        "invalid" if shard == FOREIGN else f"{number} {place}"
        for number, shard, count in named
        for place in range(count)
    ]
    assert ["invalid" if isinstance(one, ReceiptInvalid) else str(one) for one in found.results] == expected


@pytest.mark.parametrize(
    "receipt", ["", "a", "é", "\ud800", "!" * 26, receipts.receipts_of(1, (0, 1, 2, 1))[0][:-2], "A" * 28]
)
def test_what_is_no_receipt_is_invalid(receipt: str) -> None:
    found = settling.named(SHARDS, [receipt, receipts.receipts_of(3, (1, 2, 4, 1))[0]])
    assert isinstance(found.results[0], ReceiptInvalid)
    assert found.results[1] is None
    assert found.by_shard[3].receipts == [(1, 2, 4, 1)]


def test_one_request_settles_no_more_than_it_may() -> None:
    most = Handle(receipts.handle(3, (0, 0, 1, 0)), MAX_SETTLE)
    assert len(settling.named(SHARDS, [most]).results) == MAX_SETTLE
    with pytest.raises(InvalidArgument):
        settling.named(SHARDS, [most, "a"])
