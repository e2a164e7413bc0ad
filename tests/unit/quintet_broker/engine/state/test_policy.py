"""When a record is too old."""

from quintet_broker.engine.records.headers import MOVED_AT
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.state.policy import Policy

POLICY = Policy("orders", retention=100, in_flight=1)


def test_a_record_expires_at_the_end_of_its_retention() -> None:
    assert not POLICY.is_expired(Record(b"", 1000), 1099)
    assert POLICY.is_expired(Record(b"", 1000), 1100)


def test_the_retention_of_a_record_that_was_moved_begins_with_its_move() -> None:
    moved = Record(b"", 1000, headers=((MOVED_AT, b"1050"),))
    assert not POLICY.is_expired(moved, 1149)
    assert POLICY.is_expired(moved, 1150)
