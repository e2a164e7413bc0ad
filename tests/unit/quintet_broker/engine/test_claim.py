"""What one receive gets."""

from collections.abc import Sequence

from quintet_broker.engine.claim import Claim
from quintet_broker.engine.cursor import Cursor
from quintet_broker.engine.log import Log
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.read_ahead import ReadAhead
from quintet_broker.engine.record import Record
from quintet_broker.engine.requests import Receive

NOW = 1000
POLICY = Policy("orders", retention=100, in_flight=10)


def held(cursor: Cursor, times: Sequence[int]) -> ReadAhead:
    """Unread records that were sent at these times."""
    ahead = ReadAhead(Log(), cursor)
    ahead.hold(0, [Record(b"", time) for time in times])
    return ahead


def claim(cursor: Cursor, ahead: ReadAhead, limit: int, policy: Policy = POLICY) -> Claim:
    claim = Claim(Receive(NOW, limit, 50, NOW), cursor, policy, NOW, nonce=7)
    claim.take(ahead)
    return claim


async def test_neighbours_are_claimed_as_one_range() -> None:
    cursor = Cursor()
    claimed = claim(cursor, held(cursor, [NOW] * 5), limit=3)
    assert [(delivery.offset, delivery.nonce) for delivery in claimed.deliveries] == [(0, 7), (1, 7), (2, 7)]
    assert [name for name in cursor.changes() if name.startswith("range")] == ["range:0:0"]
    assert cursor.next_deadline() == NOW + 50


async def test_records_that_are_too_old_are_dropped_and_do_not_count() -> None:
    cursor = Cursor()
    claimed = claim(cursor, held(cursor, [0, NOW, 0, NOW, NOW]), limit=2)
    assert [delivery.offset for delivery in claimed.deliveries] == [1, 3]
    assert claimed.expired == 2
    assert (cursor.in_flight, cursor.read_to) == (2, 4)


async def test_no_more_are_in_flight_than_the_policy_allows() -> None:
    cursor = Cursor()
    ahead = held(cursor, [NOW] * 20)
    assert len(claim(cursor, ahead, limit=8).deliveries) == 8
    assert len(claim(cursor, ahead, limit=8).deliveries) == 2
    assert claim(cursor, ahead, limit=8).deliveries == []


async def test_records_delivered_in_vain_leave_less_room_for_unread_ones() -> None:
    """So what is remembered of deliveries is bounded, whatever consumers do."""
    cursor = Cursor()
    ahead = held(cursor, [NOW] * 20)
    claim(cursor, ahead, limit=8)
    cursor.expire(NOW + 50)
    assert len(claim(cursor, ahead, limit=8).deliveries) == 2
    assert claim(cursor, ahead, limit=8).deliveries == []
