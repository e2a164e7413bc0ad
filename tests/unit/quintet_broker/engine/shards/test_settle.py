"""What receipts that come together settle."""

from types import SimpleNamespace
from typing import cast

import pytest

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.requests import Acknowledge, Receipt
from quintet_broker.engine.shards import settle
from quintet_broker.engine.state.delayed import Delayed
from quintet_broker.engine.state.producers import Producers
from quintet_broker.engine.state.state import State
from quintet_broker.errors import ReceiptStale

NONCE = 7


def delivered(count: int) -> State:
    state = State([Lane.begin(0, 0)], Producers(), Delayed())
    state.cursor(0).deliver(0, count, 0, 1000, NONCE)
    return state


def acknowledge(state: State, *receipts: Receipt) -> list[type | None]:
    asked = cast(Acknowledge, SimpleNamespace(receipts=[*receipts]))
    return [type(result) if result else None for result in settle.acknowledge(state, asked)]


def test_neighbours_are_settled_together_and_each_has_its_result() -> None:
    state = delivered(10)
    one_by_one = [(0, offset, NONCE, 1) for offset in range(5)]
    assert acknowledge(state, *one_by_one, (0, 5, NONCE, 3), (0, 9, NONCE, 1)) == [None] * 9
    assert (state.cursor(0).acknowledged_to, state.in_flight) == (8, 1)


def test_neighbours_of_several_deliveries_are_settled_each_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state = delivered(10)
    state.cursor(0).deliver(10, 5, 0, 1000, NONCE)
    counts: list[int] = []
    settled = Cursor.acknowledge

    def counted(cursor: Cursor, offset: int, nonce: int, count: int = 1) -> None:
        counts.append(count)
        settled(cursor, offset, nonce, count)

    monkeypatch.setattr(Cursor, "acknowledge", counted)
    assert acknowledge(state, (0, 0, NONCE, 10), (0, 10, NONCE, 5)) == [None] * 15
    assert counts == [15, 10, 5]
    assert (state.cursor(0).acknowledged_to, state.in_flight) == (15, 0)


def test_one_that_does_not_hold_keeps_no_neighbour_from_being_settled() -> None:
    state = delivered(4)
    others = [(0, offset, NONCE, 1) for offset in (0, 1, 3)]
    assert acknowledge(state, *others[:2], (0, 2, NONCE + 1, 1), others[2]) == [None, None, ReceiptStale, None]
    # What is settled already is settled once more; what was never delivered is not.
    again = [(0, offset, NONCE, 1) for offset in range(1, 5)]
    assert acknowledge(state, *again) == [None, None, None, ReceiptStale]
    assert state.cursor(0).acknowledged_to == 4


def test_a_log_without_records_has_nothing_to_settle() -> None:
    assert acknowledge(delivered(1), (0, 0, NONCE, 1), (1, 1, NONCE, 1)) == [None, ReceiptStale]
