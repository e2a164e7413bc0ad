"""What one receive gets."""

from collections.abc import Sequence

from quintet_broker.engine.claims.claim import Claim
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.run import Run
from quintet_broker.engine.requests import Receive
from quintet_broker.engine.state.delayed import Delayed
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.producers import Producers
from quintet_broker.engine.state.state import State
from tests.unit.each import each

NOW = 1000
POLICY = Policy("orders", retention=100, in_flight=10)


def held(**times: Sequence[int]) -> State:
    """Unread records that were sent at these times, by lane."""
    lanes = [Lane.begin(int(name.removeprefix("lane")), 0) for name in times]
    for lane, sent in zip(lanes, times.values(), strict=True):
        lane.ahead.hold(Run.of(0, [Record(b"", time) for time in sent]))
    return State(lanes, Producers(), Delayed())


def claim(state: State, limit: int, policy: Policy = POLICY) -> Claim:
    claim = Claim(Receive(NOW, limit, 50, NOW), state, policy, NOW, nonce=7)
    claim.take()
    return claim


async def test_neighbours_are_claimed_as_one_range() -> None:
    state = held(lane0=[NOW] * 5)
    cursor = state.lanes[0].cursor
    claimed = claim(state, limit=3)
    assert [delivery.receipt for delivery in claimed.deliveries] == [(0, 0, 7, 3)]
    assert [name for name in cursor.changes() if name.startswith("range")] == ["range:0:0"]
    assert cursor.next_deadline() == NOW + 50


async def test_records_that_are_too_old_are_dropped_and_do_not_count() -> None:
    state = held(lane0=[0, NOW, 0, NOW, NOW])
    claimed = claim(state, limit=2)
    assert [delivery.offset for delivery in claimed.deliveries] == [1, 3]
    assert claimed.expired == 2
    assert (state.in_flight, state.lanes[0].cursor.read_to) == (2, 4)


async def test_no_more_are_in_flight_than_the_policy_allows() -> None:
    state = held(lane0=[NOW] * 20)
    assert claim(state, limit=8).taken == 8
    assert claim(state, limit=8).taken == 2
    assert claim(state, limit=8).deliveries == []


async def test_records_delivered_in_vain_leave_less_room_for_unread_ones() -> None:
    """So what is remembered of deliveries is bounded, whatever consumers do."""
    state = held(lane0=[NOW] * 20)
    claim(state, limit=8)
    state.lanes[0].cursor.expire(NOW + 50)
    assert claim(state, limit=8).taken == 2
    assert claim(state, limit=8).deliveries == []


async def test_higher_priorities_come_first() -> None:
    state = held(lane0=[NOW] * 2, lane10=[NOW] * 2, lane1=[NOW] * 2)
    assert [one.log for one in each(claim(state, limit=5).deliveries)] == [10, 10, 1, 1, 0]


async def test_limits_hold_over_all_priorities() -> None:
    state = held(lane0=[NOW] * 20, lane5=[NOW] * 6)
    assert [one.log for one in each(claim(state, limit=20).deliveries)] == [5] * 6 + [0] * 4
    state.lanes[5].cursor.expire(NOW + 50)
    # Those that were delivered in vain leave no room for unread ones of any priority.
    assert claim(state, limit=20).deliveries == []


async def test_what_is_still_to_be_read_is_waited_for_before_a_lower_priority_is_served() -> None:
    state = held(lane0=[NOW] * 2, lane5=[])
    state.lanes[5].log.append(1, 10, NOW)
    state.lanes[5].confirmed = 1
    assert claim(state, limit=2).deliveries == []
    state.lanes[5].ahead.hold(Run.of(0, [Record(b"", NOW)]))
    assert [one.log for one in each(claim(state, limit=2).deliveries)] == [5, 0]
